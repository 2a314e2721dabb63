"""Guards of what is written: sources that results would replace, full disks, what a kill leaves behind."""

from made_broken_guard import BrokenGuard

SOURCES_KEPT = (
    BrokenGuard(
        "a result is compared with the sources",
        "products/targets.py",
        "    refuse_source(target, sources)\n    tags",
        "    tags",
        "verbs/test_verbs_sources_kept.py::test_the_source_of_a_vrt_under_an_images_name[embed]",
    ),
    BrokenGuard(
        "what a file names is a source, too",
        "products/source_files.py",
        "for other in _named_by(path):",
        "for other in ():",
        "products/test_products_sources_kept.py::test_what_a_source_reads_is_never_replaced[vrts as .img]",
    ),
    BrokenGuard(
        "what lies in a folder that was given",
        "products/targets.py",
        "if folder is not None and VERSION_TAG not in tags:",
        "if False:",
        "products/test_products_sources_kept.py::test_what_a_source_reads_is_never_replaced[safe_folder]",
    ),
    BrokenGuard(
        "areas, weights and bands are sources",
        "products/source_files.py",
        '        _add(path, "", files)\n        if path',
        "        if path",
        "verbs/test_verbs_sources_kept.py::test_scene_verbs_keep_areas_clouds_and_weights[--aoi-predict]",
    ),
    *(
        BrokenGuard(
            f"what is written beside a map, {name}",
            "verbs/_scene.py",
            "written = (target, picture, *beside)",
            "written = (target, picture)",
            f"verbs/test_verbs_sources_kept.py::test_predict_writes_none_of_its_files_over_what_a_vrt_reads[{name}-head]",
        )
        for name in ("map.probabilities.tif", "map.entropy.tif", "map.gpkg")
    ),
    BrokenGuard(
        "with --each, what any source reads",
        "verbs/_each.py",
        "        self._refuse_sources(scenes)\n",
        "",
        "verbs/test_verbs_sources_kept.py::test_each_looks_at_the_sources_of_all_scenes",
    ),
    BrokenGuard(
        "with --each, clouds that a table names",
        "verbs/_each.py",
        "*([each.clouds] if each.clouds else [])",
        "*()",
        "verbs/test_verbs_sources_kept.py::test_each_keeps_the_clouds_that_a_table_names[embed]",
    ),
    BrokenGuard(
        "reports keep what labels are read from",
        "verbs/_labels.py",
        "            refuse_source(target, files)",
        "            pass",
        "verbs/test_verbs_sources_kept.py::test_reports_keep_images_and_items[evaluate-report.html]",
    ),
    BrokenGuard(
        "masks are among what labels are read from",
        "data/file_labels.py",
        "*clouds, *masks)",
        "*clouds)",
        "verbs/test_verbs_sources_kept.py::test_reports_keep_masks",
    ),
    BrokenGuard(
        "the demo keeps its scene",
        "verbs/demo.py",
        "source_files([source])",
        "source_files([])",
        "verbs/test_verbs_sources_kept.py::test_demo_keeps_what_its_scene_reads[part.tif]",
    ),
)

FULL_DISKS = (
    BrokenGuard(
        "a full disk is recognized",
        "free_space.py",
        "    if free is None or not (is_full(error) or short):",
        "    if True:",
        "training/test_training_full_disk.py::test_a_run_ends_with_2_and_goes_on_when_there_is_space",
    ),
    BrokenGuard(
        "a part of a checkpoint goes",
        "training/checkpoints.py",
        "        if distribution.is_main:\n            shutil.rmtree(partial, ignore_errors=True)\n",
        "",
        "training/test_training_full_disk.py::test_a_checkpoint_where_the_disk_refuses_any_byte",
    ),
    BrokenGuard(
        "a disk that refuses a checkpoint is an error of the user's",
        "training/checkpoints.py",
        "        if not of_the_disk(cause):",
        "        if True:",
        "verbs/test_verbs_finetune_full_disk.py::test_it_ends_with_2_at_a_checkpoint_and_goes_on",
    ),
    BrokenGuard(
        "a report on a full disk",
        "report/evaluation/folder.py",
        "    with refusals(folder, needed=sum(map(len, files.values()))):",
        "    if files:",
        "verbs/test_verbs_finetune_full_disk.py::test_wherever_the_disk_is_full[metrics.json.partial]",
    ),
    BrokenGuard(
        "a probe on a full disk",
        "features/probe_files.py",
        "        file.write(content)\n",
        "        pass\n    with atomic_write(folder / NUMBERS) as file:\n        file.write(content)\n",
        "features/test_features_probe.py::test_a_full_disk_keeps_the_one_before",
    ),
    BrokenGuard(
        "a run that the disk has no room for is not begun",
        "training/run_space.py",
        "        if run.distribution.is_main:",
        "        if False:",
        "training/test_training_full_disk.py::test_a_disk_without_room_is_refused_before_the_first_step",
    ),
    BrokenGuard(
        "a scene that the disk has no room for is not begun",
        "scenes/space.py",
        '    require_space(target.parent, certain, what, "choose a target on another disk")\n',
        "",
        "scenes/test_scenes_full_disk.py::test_a_disk_without_room_for_the_block_rows_is_refused_first",
    ),
    BrokenGuard(
        "shards that the disk has no room for are not begun",
        "data/shards_space.py",
        '    require_space(folder, int(needed * CERTAIN_SHARE), what, "store them on another disk")\n',
        "",
        "data/test_data_full_disk.py::test_a_disk_without_room_is_refused_before_an_image_is_stored",
    ),
    BrokenGuard(
        "a table that the disk has no room for is not begun",
        "features/vector_table.py",
        "    require_space(target, needed,",
        "    require_space(target, 0,",
        "features/test_features_vector_table.py::test_a_disk_without_room_is_refused_before_a_row[csv-720 kB]",
    ),
    BrokenGuard(
        "a demo that the disk has no room for is not begun",
        "verbs/demo.py",
        "        require_space(target, needed,",
        "        require_space(target, 0,",
        "verbs/test_verbs_demo_parts.py::test_a_disk_without_room_is_refused_before_anything_is_written",
    ),
    BrokenGuard(
        "what a killed run was writing goes first",
        "training/run_folder.py",
        "        _clear_killed(out, len(recipe.stages))\n",
        "",
        "training/test_training_full_disk.py::test_what_a_killed_run_was_writing_goes_before_anything_is_written",
    ),
    BrokenGuard(
        "a picture that is refused is a warning",
        "training/stages.py",
        "        except TargetError as error:\n            run.warn",
        "        except ZeroDivisionError as error:\n            run.warn",
        "training/test_training_full_disk.py::test_a_picture_or_a_log_does_not_stop_a_run[pictures]",
    ),
    BrokenGuard(
        "lines of the log stay whole",
        "training/logs.py",
        "                    if not whole:\n                        file.truncate(start)\n",
        "                    if not whole:\n",
        "training/test_training_full_disk.py::test_a_line_that_a_real_disk_takes_in_part_is_cut_off",
    ),
    BrokenGuard(
        "a GeoTIFF is read back",
        "raster/writing.py",
        "            refuse_unlike(cog, self._rows)\n",
        "",
        "raster/test_raster_writing.py::test_a_full_disk_never_leaves_a_part_of_a_target",
    ),
    BrokenGuard(
        "a block row that is not whole goes",
        "scenes/rows.py",
        "                self._beside.unlink(missing_ok=True)",
        "                pass",
        "scenes/test_scenes_full_disk.py::test_block_rows_that_are_finished_stay_and_the_run_goes_on[60000]",
    ),
    BrokenGuard(
        "a shard that is not whole goes",
        "disk.py",
        "        with suppress(OSError):  # what refused the file\n            partial.unlink(missing_ok=True)\n",
        "",
        "data/test_data_full_disk.py::test_what_is_finished_stays_and_the_rest_is_removed",
    ),
    BrokenGuard(
        "old weights stay where new ones are refused",
        "disk.py",
        "                _clear(partial, names)\n            raise",
        "                pass\n            raise",
        "weights/test_weights_kills.py::test_a_disk_that_is_full_after_any_byte_keeps_the_old_ones[False]",
    ),
    BrokenGuard(
        "one of several processes says why",
        "training/ending.py",
        "    if problem is not None and refusing[0] == distribution.rank:",
        "    if problem is not None:",
        "training/test_training_ended_together.py::test_one_of_several_says_why",
    ),
    BrokenGuard(
        "where one process is refused, all end",
        "training/ending.py",
        "    if not refusing:\n        return",
        "    if problem is None:\n        return",
        "training/test_training_ended_together.py::test_one_of_several_says_why",
    ),
)

LEFT_BEHIND = (
    BrokenGuard(
        "weights that were killed between two names are completed",
        "disk.py",
        "    if is_unsettled(folder):\n        #",
        "    if False:\n        #",
        "weights/test_weights_kills.py::test_killed_at_each_step_the_next_writer_clears_or_completes[True]",
    ),
    BrokenGuard(
        "what a kill left beside weights is cleared",
        "disk.py",
        "    for each in (partial, old):\n        _clear(each, names)",
        "    for each in ():\n        _clear(each, names)",
        "weights/test_weights_kills.py::test_killed_at_each_step_the_next_writer_clears_or_completes[False]",
    ),
    BrokenGuard(
        "what is not ours beside weights stays",
        "disk.py",
        "    other = [name for name in found if name not in names and",
        "    other = [name for name in () if name not in names and",
        "weights/test_weights_kills.py::test_what_is_not_ours_beside_weights_stays",
    ),
    BrokenGuard(
        "a checkpoint has its name only once it is whole",
        "training/checkpoints.py",
        '    partial = _with_suffix(target, ".partial")',
        "    partial = target",
        "training/test_training_checkpoints.py::test_whenever_it_ends_the_newest_is_whole_and_none_is_lost",
    ),
    BrokenGuard(
        "a checkpoint loses its name before it is removed",
        "training/checkpoints.py",
        "    os.rename(path, old)\n    shutil.rmtree(old)",
        "    shutil.rmtree(path)",
        "training/test_training_checkpoints.py::test_whenever_it_ends_the_newest_is_whole_and_none_is_lost",
    ),
)

OF_TARGETS = (*SOURCES_KEPT, *FULL_DISKS, *LEFT_BEHIND)
