"""Every row of *What happens when…* in the README has tests, by name."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECTION = (ROOT / "README.md").read_text().partition("## What happens when…")[2].partition("\n## ")[0]
ROWS = re.findall(r"^\| ([^|-][^|]*) \|", SECTION, re.M)

TESTS = {
    "it is killed, at whatever moment": [
        "end_to_end/test_kill_sweep.py::test_whenever_it_is_killed_it_ends_as_if_it_had_not_been",
        "end_to_end/test_kill_sweep.py::test_whenever_a_flow_run_is_killed_it_ends_as_if_it_had_not_been",
        "end_to_end/test_kill_sweep.py::test_killed_at_all_the_worst_moments_in_turn_it_ends_as_if_it_had_not_been",
        "stages/test_train.py::test_a_training_that_is_killed_goes_on_and_ends_with_the_same_files",
        "resnet/test_resuming.py::test_mixed_precision_is_taken_up_with_the_same_bits",
        "resnet/test_resuming.py::test_a_network_with_loops_is_taken_up_with_the_same_bits",
        "resnet/test_resuming.py::test_every_kind_of_recipe_is_taken_up_with_the_same_bits",
    ],
    "a checkpoint is damaged": [
        "resnet/test_checkpoints.py::test_any_damage_is_found_and_the_one_before_serves",
        "resnet/test_resuming.py::test_a_damaged_checkpoint_costs_the_steps_since_the_one_before_it",
    ],
    "you press Ctrl-C": [
        "stages/test_train.py::test_ctrl_c_says_where_the_next_run_goes_on",
        "orchestration/test_troubled_runs.py"
        "::test_ctrl_c_in_a_terminal_ends_a_run_at_once_and_prefects_own_server_with_it",
    ],
    "two processes are at the same training": [
        "stages/test_checkpoints.py::test_a_second_process_at_the_same_training_is_refused_with_the_number_of_the_first",
        "stages/test_exclusive.py::test_a_process_that_outlived_its_run_is_named_when_it_does_not_end",
    ],
    "two prepare the same folder": [
        "end_to_end/test_files_that_go_wrong.py"
        "::test_of_two_that_prepare_the_same_folder_at_once_the_second_waits_and_both_make_the_same"
    ],
    "a dependency is edited while a stage runs": [
        "end_to_end/test_lineage.py::test_of_a_training_whose_code_was_edited_meanwhile_dvc_records_nothing"
    ],
    "a file is removed while a stage runs": [
        "end_to_end/test_files_that_go_wrong.py"
        "::test_a_file_that_is_removed_while_a_stage_runs_is_named_and_nothing_is_recorded"
    ],
    "the loss becomes NaN or infinite": [
        "stages/test_train.py::test_a_training_that_diverges_writes_no_model_and_says_why_it_will_not_be_tried_again",
        "resnet/test_callbacks.py::test_a_loss_that_is_no_number_ends_the_training_and_says_where",
    ],
    "memory runs out": [
        "stages/test_train.py::test_memory_that_runs_out_in_the_data_or_in_the_network_names_the_batch_size"
    ],
    "the network learns nothing": [
        "stages/test_train.py::test_a_network_that_learned_nothing_is_warned_of",
        "stages/test_report.py::test_a_model_that_is_no_better_than_chance_is_called_so",
    ],
    "a disk is full": [
        "end_to_end/test_files_that_go_wrong.py"
        "::test_a_disk_without_room_gets_a_sentence_and_leaves_every_former_output",
        "orchestration/test_troubled_runs.py::test_a_disk_that_fills_ends_the_run_and_loses_nothing",
    ],
    "a folder may not be written": [
        "end_to_end/test_files_that_go_wrong.py"
        "::test_a_folder_that_may_not_be_written_gets_a_sentence_and_keeps_what_it_has"
    ],
    "bits flip in DVC's cache": [
        "end_to_end/test_files_that_go_wrong.py"
        "::test_a_bit_that_flipped_in_dvcs_cache_is_found_before_the_model_is_used",
        "end_to_end/test_files_that_go_wrong.py::test_a_model_that_was_cut_short_gets_a_sentence",
        "pipeline/test_verification.py::test_a_flipped_bit_in_a_stored_object_is_found",
    ],
    "the manifest is edited by hand": [
        "end_to_end/test_files_that_go_wrong.py"
        "::test_a_manifest_that_was_edited_by_hand_is_neither_trained_nor_measured_with"
    ],
    "`dvc repro` is killed in the instant in which DVC writes `.dvc/tmp/rwlock`": [
        "end_to_end/test_files_that_go_wrong.py"
        "::test_a_lock_file_that_dvc_was_killed_in_the_middle_of_is_mended_by_a_flow_and_by_removing_it"
    ],
    "`dvc repro` is killed in the instant in which DVC writes `dvc.lock`": [
        "end_to_end/test_files_that_go_wrong.py"
        "::test_a_dvc_lock_that_dvc_was_killed_in_the_middle_of_is_mended_by_a_flow_and_by_git"
    ],
    "the clock jumps back": [
        "end_to_end/test_files_that_go_wrong.py"
        "::test_a_clock_that_jumps_back_between_a_kill_and_the_next_run_changes_nothing"
    ],
    "an image is none, or would be a gigabyte": [
        "stages/test_prepare.py::test_what_cannot_be_decoded_is_told_and_left_out_but_keeps_its_row",
        "stages/test_prepare.py::test_a_picture_of_two_gigapixels_is_refused_by_its_size",
    ],
    "a link leads out of the data folder, or a name is no UTF-8": [
        "stages/test_folder.py::test_a_link_out_of_the_folder_is_refused_by_name_and_never_listed",
        "stages/test_folder.py::test_a_name_that_is_no_utf_8_is_refused",
        "stages/test_folder.py::test_images_may_lie_a_thousand_folders_deep",
        "stages/test_folder.py::test_any_name_will_do",
        "stages/test_manifest.py::test_a_folder_linked_to_elsewhere_leads_out_of_the_root",
    ],
    "a table has ten million columns, params.yaml aliases that explode, or an array file pickles": [
        "stages/test_manifest.py"
        "::test_a_csv_of_millions_of_columns_or_with_a_gigantic_field_is_refused_before_it_is_all_read",
        "stages/test_params.py::test_what_is_no_yaml_mapping_is_refused_in_one_line",
        "stages/test_prepared.py::test_arrays_that_prepare_does_not_write_are_refused_and_never_unpickled",
        "contracts/test_no_pickle.py::test_a_module_does_not_unpickle",
    ],
    "a `.keras` file holds a Lambda layer, or a path that climbs out": [
        "resnet/test_loading.py::test_a_lambda_layer_is_refused_and_never_runs",
        "resnet/test_loading.py::test_a_part_that_climbs_out_or_is_not_known_is_refused_and_nothing_is_written",
    ],
    "a file holds anything else": [
        "stages/test_any_params.py::test_any_value_in_any_place_is_taken_as_it_stands_or_refused_in_a_sentence",
        "stages/test_any_manifest.py::test_any_bytes_are_read_or_refused_in_a_sentence",
        "resnet/test_any_image.py::test_any_bytes_are_read_or_refused",
        "fuzz/test_readers.py::test_a_reader_survives_whatever_it_is_fed",
    ],
    "it runs twice, in two processes or two clones": [
        "stages/test_backend.py::test_with_determinism_on_two_processes_train_the_same_bits",
        "end_to_end/test_dvc.py::test_a_forced_repro_makes_every_byte_again",
        "stages/test_same_bits.py::test_onednn_keeps_to_the_instructions_that_are_recorded_and_to_avx2_if_asked",
        "stages/test_same_bits.py::test_keras_normalises_by_roots_and_divisions_that_are_exact_on_every_cpu",
    ],
    "it serves for months, or trains for days": [
        "orchestration/test_long_life.py::test_many_flow_runs_in_one_served_process_leave_nothing_behind_that_grows",
        "resnet/test_long_life.py::test_many_epochs_of_one_training_take_no_more_memory_files_or_checkpoints",
    ],
    "a dependency breaks": [
        "contracts/test_requirements_lock.py::test_every_requirement_is_locked_at_a_version_that_fits",
        "contracts/test_requirements_lock.py::test_no_pair_of_versions_that_is_known_to_be_broken_is_locked",
    ],
}


def test_every_row_has_tests_and_there_are_no_others():
    assert ROWS
    assert set(ROWS) == set(TESTS)


@pytest.mark.parametrize("test", [test for tests in TESTS.values() for test in tests])
def test_a_test_of_a_row_exists(test):
    file, _, name = test.partition("::")
    defined = {node.name for node in ast.parse((ROOT / "tests" / file).read_text()).body if hasattr(node, "name")}
    assert name in defined
