"""The lines about the master and its workers."""

from __future__ import annotations

from tests.repo.checklist import ARBITER, CONFIG, LOG, MASTER, PROCESS, WORKER, WORKERS, Line

LINES = (
    # --- Arbiter.run
    Line(
        "Arbiter.run",
        "start, title, first workers",
        (f"{PROCESS}test_boot.py::test_serves_and_stops", f"{PROCESS}test_edges.py::test_title"),
    ),
    Line(
        "Arbiter.run",
        "an endless loop: promotion, next signal, else sleep, murder, manage",
        (
            f"{PROCESS}test_upgrade.py::test_upgrade_loses_nothing",
            f"{PROCESS}test_deaths.py::test_silent_worker_is_explained_and_replaced",
            f"{PROCESS}test_deaths.py::test_fifty_mixed_signals_under_load",
            f"{ARBITER}test_wakeup.py::test_a_signal_before_the_sleep_is_not_slept_over",
            f"{ARBITER}test_wakeup.py::test_a_signal_ends_the_sleep",
        ),
    ),
    Line(
        "Arbiter.run",
        "a signal that nothing is known of is left alone; one without a handler is an error in the log",
        (
            f"{WORKERS}test_checklist.py::test_dispatch",
            "tests/unit/test_signals.py::test_every_signal_of_the_master_has_a_handler",
        ),
        differs="signals outside of the table",
    ),
    Line(
        "Arbiter.run",
        "a signal is logged and its handle_NAME called",
        (
            f"{WORKERS}test_checklist.py::test_dispatch",
            f"{ARBITER}test_wakeup.py::test_signals_come_out_in_order",
            f"{PROCESS}test_boot.py::test_int_turns_a_graceful_stop_into_a_quick_one",
        ),
    ),
    Line(
        "Arbiter.run",
        "StopIteration, KeyboardInterrupt and HaltServer halt, SystemExit passes",
        (
            f"{MASTER}::test_what_ends_the_loop",
            f"{PROCESS}test_boot.py::test_failed_first_boot",
        ),
    ),
    Line(
        "Arbiter.run",
        "any other exception: traceback, quick stop, no pid file left, status -1",
        (
            f"{MASTER}::test_what_nobody_expected_ends_the_loop_too",
            f"{PROCESS}test_boot.py::test_failing_pre_fork_ends_the_first_start",
        ),
    ),
    # --- Arbiter.start
    Line(
        "Arbiter.start", "the first line of the log says what starts", (f"{MASTER}::test_order_of_the_start",)
    ),
    Line(
        "Arbiter.start",
        "a successor knows its predecessor and goes by .2",
        (
            f"{MASTER}::test_what_hooks_see_of_the_master_and_its_successor",
            f"{PROCESS}test_upgrade.py::test_roll_back",
        ),
        differs="USR2's variables in the environment",
    ),
    Line(
        "Arbiter.start",
        "the pid file, with .2 for a successor",
        (
            f"{MASTER}::test_what_hooks_see_of_the_master_and_its_successor",
            f"{PROCESS}test_upgrade.py::test_upgrade_loses_nothing",
            f"{PROCESS}test_boot.py::test_pidfile_of_a_living_server_is_respected",
            f"{ARBITER}test_pidfile.py::test_write_and_remove",
        ),
    ),
    Line(
        "Arbiter.start",
        "on_starting comes after the pid file and before the signals",
        (
            f"{MASTER}::test_order_of_the_start",
            f"{PROCESS}test_hooks.py::test_order_process_and_arguments",
        ),
    ),
    Line(
        "Arbiter.start",
        "sockets are made only if there are no listeners yet",
        (
            f"{MASTER}::test_listeners_of_a_hook_are_kept",
            f"{PROCESS}test_upgrade.py::test_socket_activation",
        ),
    ),
    Line(
        "Arbiter.start",
        "three lines in the log: booted, addresses with pid, worker kind",
        (f"{MASTER}::test_order_of_the_start",),
    ),
    Line(
        "Arbiter.start",
        "the worker class may check the configuration",
        (
            f"{MASTER}::test_order_of_the_start",
            f"{PROCESS}test_edges.py::test_reload_engine_that_is_not_there",
        ),
    ),
    Line(
        "Arbiter.start",
        "when_ready is last",
        (
            f"{MASTER}::test_order_of_the_start",
            f"{PROCESS}test_hooks.py::test_order_process_and_arguments",
        ),
    ),
    # --- Arbiter.manage_workers
    Line(
        "Arbiter.manage_workers",
        "missing workers are started, of too many the oldest get TERM",
        (
            f"{ARBITER}test_plan.py::TestStaffing::test_starts_all_that_are_missing_at_once",
            f"{ARBITER}test_plan.py::TestStaffing::test_retires_the_oldest_of_too_many",
            f"{PROCESS}test_hooks.py::test_order_process_and_arguments",
        ),
    ),
    Line(
        "Arbiter.manage_workers",
        "their number is a debug line and a metric, when it has changed",
        (f"{MASTER}::test_number_of_workers_is_a_metric_when_it_changes",),
        differs="names of metrics",
    ),
    # --- Arbiter.spawn_worker
    Line(
        "Arbiter.spawn_worker",
        "one age more, and a worker made with age, pid, listeners, application, half the timeout, cfg, log",
        (f"{MASTER}::test_worker_is_made_with_seven_arguments",),
    ),
    Line(
        "Arbiter.spawn_worker",
        "pre_fork, then the fork; the worker is in WORKERS and its pid returned",
        (
            f"{MASTER}::test_worker_is_made_with_seven_arguments",
            f"{PROCESS}test_hooks.py::test_order_process_and_arguments",
        ),
    ),
    Line(
        "Arbiter.spawn_worker",
        "the child has its title and says that it boots",
        (
            f"{PROCESS}test_edges.py::test_title",
            f"{PROCESS}test_boot.py::test_stop_while_the_application_loads",
        ),
    ),
    Line(
        "Arbiter.spawn_worker",
        "with reuse_port every worker has listeners of its own",
        (
            f"{PROCESS}test_reuse_port.py::test_each_worker_has_its_own",
            f"{PROCESS}test_reuse_port.py::test_nothing_is_lost",
        ),
        differs="`reuse_port`",
    ),
    Line(
        "Arbiter.spawn_worker",
        "post_fork, init_process, status 0",
        (
            f"{PROCESS}test_hooks.py::test_order_process_and_arguments",
            f"{PROCESS}test_edges.py::test_chdir_and_pythonpath",
        ),
    ),
    Line(
        "Arbiter.spawn_worker",
        "an application that is not in its module: message, traceback at debug, status 4",
        (
            f"{MASTER}::test_error_of_the_application_in_the_log",
            f"{PROCESS}test_boot.py::test_failed_first_boot",
            f"{PROCESS}test_cli_serving.py::test_application_that_cannot_be_loaded",
        ),
    ),
    Line(
        "Arbiter.spawn_worker",
        "another exception is logged: status 3 before the worker is up, -1 later",
        (
            f"{WORKER}::test_fault_after_the_start_is_status_255",
            f"{PROCESS}test_boot.py::test_failed_first_boot",
        ),
        differs="worker that fails to boot",
    ),
    Line(
        "Arbiter.spawn_worker",
        "at the end a line in the log and worker_exit, whose errors change nothing",
        (
            f"{WORKER}::test_fault_after_the_start_is_status_255",
            f"{PROCESS}test_hooks.py::test_failing_hook_is_logged_and_changes_nothing",
        ),
        differs="`worker.tmp`",
    ),
    # --- the worker base class
    Line(
        "Worker",
        "nine signals; PIPE holds the ends of the wake-up pipe",
        (
            f"{WORKERS}test_checklist.py::test_signals_of_a_worker",
            f"{WORKER}::test_order_of_init_process",
        ),
    ),
    Line(
        "Worker",
        "making one comes before the fork, touches nothing, sets its attributes",
        (
            f"{WORKERS}test_base.py::test_making_one_touches_nothing_of_the_process",
            f"{WORKERS}test_checklist.py::test_attributes_of_a_worker",
        ),
        differs="`worker.tmp`",
    ),
    Line(
        "Worker",
        "max_requests with jitter, else never",
        (
            f"{WORKERS}test_base.py::test_jitter_is_added",
            f"{WORKERS}test_base.py::test_no_max_requests_means_practically_never",
        ),
        differs="`max_requests` 0 with jitter",
    ),
    Line(
        "Worker",
        "its text has its pid",
        (
            f"{WORKERS}test_base.py::test_making_one_touches_nothing_of_the_process",
            f"{MASTER}::test_worker_is_made_with_seven_arguments",
        ),
    ),
    Line(
        "Worker",
        "notify() within timeout, or it is killed",
        (
            f"{WORKERS}test_base.py::test_reports_ready",
            f"{PROCESS}test_deaths.py::test_silent_worker_is_explained_and_replaced",
            f"{PROCESS}test_deaths.py::test_worker_that_ignores_abort_is_killed",
        ),
        differs="heartbeat",
    ),
    Line("Worker", "run() is for the subclass", (f"{WORKERS}test_base.py::test_run_must_be_given",)),
    Line(
        "Worker",
        "init_process: environment, user, random numbers, pipe, close-on-exec, signals, load, hook, run",
        (
            f"{WORKER}::test_order_of_init_process",
            f"{WORKER}::test_random_numbers_differ",
            f"{LOG}test_logger_setup.py::test_close_on_exec",
            f"{PROCESS}test_edges.py::TestPrivileges::test_user_and_group",
        ),
        differs="order in `init_process`",
    ),
    Line(
        "Worker",
        "a subclass's init_process ends with that of the base",
        (f"{WORKER}::test_order_of_init_process",),
    ),
    Line(
        "Worker",
        "a changed file is logged, and the worker ends as by QUIT",
        (
            f"{PROCESS}test_edges.py::TestReload::test_changed_code_is_served",
            f"{WORKERS}test_reloader.py::test_thread_calls_once",
            f"{PROCESS}test_edges.py::TestSignalsToWorkers::test_stopping",
        ),
        differs="`reload`, a file that has changed",
    ),
    Line(
        "Worker",
        "init_signals: which handler for which signal",
        (
            f"{WORKER}::test_order_of_init_process",
            f"{WORKERS}test_base.py::test_the_table_names_methods_that_exist",
            f"{PROCESS}test_edges.py::TestSignalsToWorkers::test_harmless",
        ),
        differs="HUP, USR2 sent to a worker",
    ),
    Line(
        "Worker",
        "TERM and USR1 interrupt no system call of a request",
        (f"{WORKER}::test_system_calls_of_a_request_are_not_interrupted",),
    ),
    Line(
        "Worker",
        "USR1 opens the log files again",
        (
            f"{PROCESS}test_edges.py::test_usr1_reopens_logs_everywhere",
            f"{PROCESS}test_logs_outputs.py::TestReopening::test_usr1_after_a_rotation",
        ),
    ),
    Line(
        "Worker",
        "TERM lets the request in progress finish",
        (
            f"{WORKERS}test_base.py::test_term_while_booting_ends_at_once_later_it_does_not",
            f"{PROCESS}test_boot.py::test_term_answers_what_runs_and_what_waits",
        ),
        differs="TERM to a worker that still loads the application",
    ),
    Line(
        "Worker",
        "QUIT and INT: worker_int, a moment, status 0",
        (
            f"{WORKERS}test_checklist.py::test_quit_ends_a_worker_after_its_hook",
            f"{PROCESS}test_edges.py::TestSignalsToWorkers::test_stopping",
        ),
    ),
    Line(
        "Worker",
        "ABRT: worker_abort, status 1",
        (
            f"{WORKERS}test_checklist.py::test_abort_calls_its_hook",
            f"{WORKERS}test_base.py::test_abort",
            f"{PROCESS}test_edges.py::TestSignalsToWorkers::test_stopping",
        ),
    ),
    Line("Worker", "WINCH is ignored", (f"{PROCESS}test_edges.py::TestSignalsToWorkers::test_harmless",)),
    Line(
        "Worker",
        "a failed request is told without an address where there is none, on a unix socket",
        (f"{MASTER}::test_wrong_requests_on_a_unix_socket",),
        differs="`Worker.handle_error`",
    ),
    Line(
        "Worker",
        "what a client may not send is answered with its status and a reason",
        (
            f"{MASTER}::test_statuses_of_wrong_requests",
            "tests/wire/test_cases.py::test_cases",
            "tests/wire/test_proxy_protocol.py::test_peer_that_may_not_send_one",
        ),
        differs="answer to a wrong request",
    ),
    Line(
        "Worker",
        "a client's mistake is a line with its address; anything else a traceback and 500",
        (
            f"{PROCESS}test_logs.py::TestRefusals::test_one_line_for_a_malformed_request",
            f"{PROCESS}test_logs.py::TestErrorLog::test_a_traceback_is_in_the_log_and_not_in_the_answer",
            "tests/integration/test_wsgi.py::TestBroken::test_an_application_that_raises",
        ),
        differs="line about a wrong request",
    ),
    Line(
        "Worker",
        "a failed request has its line in the access log",
        (
            f"{PROCESS}test_logs.py::TestAccessLog::test_a_refused_request_has_a_line",
            f"{MASTER}::test_wrong_requests_on_a_unix_socket",
        ),
    ),
    Line(
        "Worker",
        "an error page that cannot be sent is no error",
        (f"{MASTER}::test_client_that_does_not_wait_for_the_error_page",),
    ),
    Line(
        "Worker",
        "kinds are found in SUPPORTED_WORKERS",
        (
            f"{CONFIG}test_config.py::test_worker_class_by_name",
            f"{CONFIG}test_config.py::test_validate_knows_the_worker_kinds",
            f"{WORKERS}test_base.py::test_kinds_are_named_by_text",
        ),
    ),
)
