"""The lines about commands and applications."""

from __future__ import annotations

from tests.repo.checklist import APP, CONFIG, MASTER, PROCESS, Line

LINES = (
    # --- entry points
    Line(
        "entry points",
        "a console script leads to app.wsgiapp:run",
        (
            f"{APP}test_checklist.py::test_console_script",
            f"{PROCESS}test_cli.py::test_the_installed_script",
            f"{PROCESS}test_cli.py::test_as_a_module",
        ),
        differs="scripts `*_django` and `*_paster`",
    ),
    Line(
        "entry points",
        "paste.server_runner has an entry point main",
        (
            f"{APP}test_checklist.py::test_console_script",
            f"{APP}test_paste.py::test_entry_point_is_found_by_the_library",
            f"{APP}test_paste.py::test_both_names_run_the_arbiter",
            f"{PROCESS}test_paste.py::TestServerOfAnotherProgram::test_serves_reloads_and_stops",
        ),
        differs="server of another program",
    ),
    Line(
        "entry points",
        "run() makes a WSGIApplication with its usage and runs it",
        (
            f"{APP}test_checklist.py::test_run_makes_and_runs_an_application",
            f"{PROCESS}test_cli.py::test_help",
        ),
    ),
    # --- WSGIApplication
    Line(
        "WSGIApplication",
        "the text after # selects the section of the PasteDeploy file, main without it",
        (
            f"{APP}test_paste.py::test_section_after_the_mark",
            f"{APP}test_paste.py::test_section_main_is_the_default",
            f"{PROCESS}test_paste.py::test_section_and_global_settings",
        ),
    ),
    Line(
        "WSGIApplication",
        "that file's path is absolute and normal from the start directory; a missing file is not found",
        (
            f"{APP}test_paste.py::test_path_is_made_absolute_from_where_the_server_starts",
            f"{APP}test_paste.py::test_link_in_the_path_is_kept",
            f"{APP}test_paste.py::test_missing_file",
            f"{APP}test_paste.py::test_init_by_itself",
            f"{PROCESS}test_paste.py::test_what_cannot_be_loaded",
        ),
    ),
    Line(
        "WSGIApplication",
        "cfgurl is config:PATH#SECTION, relpath the file's folder",
        (f"{APP}test_paste.py::test_path_is_made_absolute_from_where_the_server_starts",),
        differs="folder of the PasteDeploy file",
    ),
    Line(
        "WSGIApplication",
        "keys of [server:main] become settings",
        (
            f"{APP}test_paste.py::test_own_server_section",
            f"{APP}test_paste.py::test_section_of_another_server_is_left_alone",
            f"{PROCESS}test_paste.py::test_own_server_section",
        ),
        differs="`[server:main]` with `paste`",
    ),
    Line(
        "WSGIApplication",
        "without an application the command ends with an error",
        (
            f"{APP}test_wsgiapp.py::test_named_nowhere",
            f"{APP}test_wsgiapp.py::test_named_in_the_file",
            f"{PROCESS}test_cli.py::test_one_clear_line",
        ),
        differs="no application named",
    ),
    Line(
        "WSGIApplication",
        "the argument is kept as app_uri and becomes default_proc_name",
        (f"{APP}test_wsgiapp.py::test_named_on_the_command_line",),
    ),
    Line(
        "WSGIApplication",
        "chdir() enters cfg.chdir and lets modules be found there first",
        (
            f"{APP}test_base.py::test_chdir",
            f"{APP}test_checklist.py::test_directory_is_entered_and_found_first_once",
        ),
        differs="`chdir`",
    ),
    Line(
        "WSGIApplication",
        "load_wsgiapp() imports the application in that directory",
        (
            f"{APP}test_wsgiapp.py::test_named_on_the_command_line",
            f"{PROCESS}test_edges.py::test_chdir_and_pythonpath",
            f"{PROCESS}test_cli_serving.py::test_directory_and_python_path",
        ),
    ),
    Line(
        "WSGIApplication",
        "load_pasteapp() loads it from the file, with the global settings",
        (
            f"{APP}test_paste.py::test_another_section_with_global_settings",
            f"{APP}test_paste.py::test_path_is_made_absolute_from_where_the_server_starts",
            f"{PROCESS}test_paste.py::test_section_and_global_settings",
        ),
    ),
    Line(
        "WSGIApplication",
        "load() takes the file if there is one, else the module",
        (
            f"{APP}test_paste.py::test_paste_goes_before_the_argument",
            f"{APP}test_paste.py::test_named_elsewhere",
            f"{APP}test_paste.py::test_nothing_to_load",
        ),
    ),
    # --- Application
    Line(
        "Application",
        "a configuration file runs as the module __config__; one that does not exist is an error",
        (
            f"{APP}test_checklist.py::test_names_that_a_configuration_file_sees",
            f"{CONFIG}test_files.py::test_python_file",
            f"{CONFIG}test_files.py::test_missing_python_file",
        ),
        differs="missing configuration file",
    ),
    Line(
        "Application",
        "an exception in that file: message, traceback, status 1",
        (
            f"{APP}test_base.py::test_broken_file_has_a_traceback",
            f"{PROCESS}test_cli.py::test_broken_file",
        ),
    ),
    Line(
        "Application",
        "a module can be the configuration file",
        (f"{CONFIG}test_files.py::test_module", f"{APP}test_base.py::test_named_file"),
    ),
    Line(
        "Application",
        "python: names a module, file: or nothing a file",
        (f"{APP}test_base.py::test_named_file",),
    ),
    Line(
        "Application",
        "unknown names are ignored, a wrong value is told with name and value",
        (
            f"{CONFIG}test_files.py::test_settings_in_a_python_file",
            f"{APP}test_checklist.py::test_both_names_load_a_file",
            f"{APP}test_base.py::test_wrong_value_in_a_file",
            f"{APP}test_base.py::test_slips_are_warned_about",
        ),
        differs="slip in a configuration file",
    ),
    Line(
        "Application",
        "load_config_from_file is another name for the same",
        (f"{APP}test_checklist.py::test_both_names_load_a_file",),
    ),
    Line(
        "Application",
        "sources in order: init, configuration file, command line",
        (
            f"{APP}test_base.py::test_later_sources_win",
            f"{APP}test_base.py::test_gunicorns_variable_is_a_fallback",
            f"{PROCESS}test_cli.py::test_every_source_in_one_run",
        ),
    ),
    Line(
        "Application",
        "check_config loads the application: status 0, or what went wrong and 1",
        (
            f"{APP}test_wsgiapp.py::test_check_config",
            f"{APP}test_wsgiapp.py::test_check_config_shows_what_the_application_raised",
            f"{PROCESS}test_cli.py::test_check_config",
            f"{PROCESS}test_cli.py::test_check_config_with_an_application_that_raises",
        ),
    ),
    Line(
        "Application",
        "run() installs spew's tracer and becomes a daemon",
        (
            f"{PROCESS}test_edges.py::test_spew_prints_lines",
            f"{PROCESS}test_edges.py::TestDaemon::test_goes_on_in_the_background",
            f"{PROCESS}test_edges.py::TestDaemon::test_keeps_output_if_told_to",
        ),
        differs="`daemon`",
    ),
    Line(
        "Application",
        "run() puts pythonpath in front, absolute, once, and serves",
        (
            f"{APP}test_base.py::test_python_path",
            f"{APP}test_checklist.py::test_python_path_is_not_repeated",
            f"{APP}test_checklist.py::test_run_checks_or_serves",
        ),
    ),
    # --- BaseApplication
    Line(
        "BaseApplication",
        "a new one has usage, cfg, callable, prog and logger, and has read its configuration",
        (
            f"{APP}test_checklist.py::test_attributes_of_an_application",
            f"{APP}test_base.py::test_custom_application",
        ),
    ),
    Line(
        "BaseApplication",
        "do_load_config: defaults, then load_config; an exception is told and ends with status 1",
        (
            f"{APP}test_checklist.py::test_default_configuration_is_made_before_the_own_one",
            f"{APP}test_base.py::test_custom_application_with_a_wrong_value",
            f"{APP}test_base.py::test_a_fault_in_a_subclass_has_a_traceback",
        ),
    ),
    Line(
        "BaseApplication",
        "load_default_config makes a Config with usage and prog",
        (f"{APP}test_checklist.py::test_attributes_of_an_application",),
    ),
    Line(
        "BaseApplication",
        "init, load and load_config must be overridden",
        (f"{APP}test_base.py::test_what_a_subclass_must_bring",),
    ),
    Line(
        "BaseApplication",
        "reload() reads the configuration again, and spew follows it",
        (
            f"{APP}test_base.py::test_reload_reads_everything_again",
            f"{APP}test_base.py::test_a_failed_reload_changes_nothing",
            f"{MASTER}::test_a_reload_turns_spew_on_and_off",
        ),
        differs="HUP with a broken configuration file",
    ),
    Line(
        "BaseApplication",
        "wsgi() loads once",
        (f"{APP}test_base.py::test_custom_application",),
    ),
    Line(
        "BaseApplication",
        "run() runs an Arbiter; a RuntimeError is a message and status 1",
        (
            f"{APP}test_base.py::test_run_hands_over_to_the_arbiter",
            f"{APP}test_base.py::test_run_ends_with_one_line",
        ),
    ),
    Line(
        "BaseApplication",
        "a user's subclass may set hooks with cfg.set",
        (
            f"{APP}test_base.py::test_custom_application",
            f"{PROCESS}test_cli_serving.py::test_custom_application",
        ),
    ),
)
