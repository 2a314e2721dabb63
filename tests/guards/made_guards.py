"""The guards of docs/reliability.md, each with the line that breaks it and the test that must notice.

A guard is broken by one edit in one place of the package: `line` becomes `broken`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class BrokenGuard:
    """file: below src/spectralgpt. line: text that stands there once. broken: what it becomes. test: below tests."""

    name: str
    file: str
    line: str
    broken: str
    test: str


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

WEIGHTS = (
    BrokenGuard(
        "weights that are not finite, in a folder",
        "weights/pretrained.py",
        "    check_sum(path, config)\n    refuse_not_finite(tensors, str(path))",
        "    check_sum(path, config)",
        "weights/test_weights_not_finite.py::test_a_folder[pretraining]",
    ),
    BrokenGuard(
        "weights that are not finite, in a checkpoint",
        "weights/pretrained.py",
        "    refuse_not_finite(state, str(path))\n",
        "",
        "weights/test_weights_not_finite.py::test_a_checkpoint[norm.weight-nan]",
    ),
    BrokenGuard(
        "tensors are compared with their checksum",
        "weights/pretrained.py",
        "    check_sum(path, config)\n",
        "",
        "weights/test_weights_versions.py::test_tensors_that_are_not_those_that_were_written",
    ),
    BrokenGuard(
        "a probe that is not finite",
        "features/probe_files.py",
        "    if odd:",
        "    if False:",
        "features/test_features_probe.py::test_numbers_that_are_not_finite_are_refused_by_name[nan]",
    ),
    BrokenGuard(
        "answers that are not finite end a scene",
        "scenes/block_rows.py",
        "        check_finite_answers(values, valid)\n",
        "",
        "verbs/test_verbs_not_finite.py::test_a_scene[reconstruct-pretraining-options4]",
    ),
    BrokenGuard(
        "no answer is no class",
        "nn/prediction.py",
        "torch.where(of_each.isfinite().all(dim=1), most_likely, -1)",
        "most_likely",
        "verbs/test_verbs_not_finite.py::test_classes_in_python[class]",
    ),
    BrokenGuard(
        "widths and depths have limits",
        "nn/sizes.py",
        "            if not 1 <= getattr(self, name) <= largest:",
        "            if getattr(self, name) < 1:",
        "weights/test_weights_absurd.py::test_sizes[heads-1000000000000]",
    ),
    BrokenGuard(
        "sizes are compared with the tensors first",
        "weights/store.py",
        "            if shown and shown != stated:",
        "            if False:",
        "weights/test_weights_absurd.py::test_sizes_of_another_model[depth-256]",
    ),
    BrokenGuard(
        "the side of an image has a limit",
        "nn/sizes.py",
        "            if not 1 <= side <= largest:",
        "            if side < 1:",
        "weights/test_weights_absurd.py::test_limits_hold_without_a_file",
    ),
    BrokenGuard(
        "settings that cannot be are refused before an image is opened",
        "verbs/finetune.py",
        '    check_changes(recipe, options["weights"], set)\n',
        "",
        "verbs/test_verbs_finetune_settings.py::test_before_any_image[own-machine.micro=0-micro]",
    ),
)

RUNS = (
    BrokenGuard(
        "no checkpoint is whole",
        "training/run.py",
        "            if path == found[-1]:",
        "            if False:",
        "training/test_training_refused.py::test_no_checkpoint_is_whole",
    ),
    BrokenGuard(
        "foreign files among the weights are found at the start",
        "training/run_folder.py",
        "            check_weights_target(each)",
        "            pass",
        "training/test_training_refused.py::test_a_foreign_file_among_the_weights[midway-weights]",
    ),
    BrokenGuard(
        "a lost process is named",
        "training/lost.py",
        "        if not of_transport:",
        "        if True:",
        "training/test_training_lost.py::test_a_process_of_another_host_may_be_the_lost_one",
    ),
    BrokenGuard(
        "a damaged checkpoint is not loaded",
        "training/checkpoints.py",
        "            if _sum(path / name) != wanted:",
        "            if False:",
        "training/test_training_checkpoints.py::test_a_damaged_one_is_named_and_the_one_before_loads",
    ),
    BrokenGuard(
        "a scale unlike the others is warned of",
        "products/units.py",
        "        if layer.scale < 0 or not",
        "        if False and not",
        "products/test_products_scales.py::test_one_band_of_four[0--1.0]",
    ),
    BrokenGuard(
        "a name that contradicts the source's is warned of",
        "products/formats/vrt.py",
        "and canonical(band.name) != canonical(name):",
        "and False:",
        "products/test_products_vrt.py::test_a_name_that_contradicts_the_source_is_said",
    ),
)

STRANGERS = (
    BrokenGuard(
        "drivers from a list",
        "raster/trusted.py",
        "        dataset = _opened(path, IMAGE_DRIVERS)\n    try:\n        _refuse_after",
        "        dataset = DatasetReader(path)\n    try:\n        _refuse_after",
        "raster/test_raster_trusted.py::test_a_source_of_a_driver_that_is_not_listed",
    ),
    BrokenGuard(
        "text that names other files",
        "raster/trusted.py",
        "    if TEXT.match(head):",
        "    if False:",
        "raster/test_raster_trusted.py::test_an_address_under_an_images_name_is_not_asked[scene.tif]",
    ),
    BrokenGuard(
        "names of files elsewhere",
        "raster/trusted.py",
        "REMOTE_NAME.search(path)) and not _remote.get():",
        "REMOTE_NAME.search(path)) and False:",
        "raster/test_raster_trusted.py::test_names_of_files_elsewhere",
    ),
    BrokenGuard(
        "sources of a VRT, by name",
        "raster/trusted.py",
        "        refuse_remote(name)\n    except",
        "        pass\n    except",
        "raster/test_raster_trusted.py::test_what_a_vrt_may_not_name[beside-vrt]",
    ),
    BrokenGuard(
        "sources of a VRT, by content",
        "raster/trusted.py",
        "            _refuse_source(file)\n",
        "            pass\n",
        "raster/test_raster_trusted.py::test_an_address_in_a_file_that_a_vrt_names[source-tiles.tif]",
    ),
    BrokenGuard(
        "a VRT is one whatever its name",
        "raster/vrt_files.py",
        '            return VRT_START in file.read(VRT_START_BYTES).partition(b"\\x00")[0]',
        '            return path.endswith(".vrt")',
        "raster/test_raster_trusted.py::test_a_vrt_is_one_whatever_its_ending[scene.tif]",
    ),
    BrokenGuard(
        "raw bands",
        "raster/vrt_files.py",
        '    if kind == "VRTRawRasterBand":',
        "    if False:",
        "raster/test_raster_trusted.py::test_what_a_vrt_may_not_name[raw-vrt]",
    ),
    BrokenGuard(
        "kinds of VRT that read more",
        "raster/vrt_files.py",
        "    if kind is not None and kind not in KNOWN_CLASSES:",
        "    if False:",
        "raster/test_raster_trusted.py::test_what_a_vrt_may_not_name[class-vrt]",
    ),
    BrokenGuard(
        "nodes that only GDAL finds",
        "raster/vrt_files.py",
        "        if _spelling(name) not in (None, name) or",
        "        if",
        "raster/test_raster_trusted.py::test_what_a_vrt_may_not_name[case-vrt]",
    ),
    BrokenGuard(
        "pixel functions in Python",
        "raster/vrt_files.py",
        "    _refuse_programs(root, path)\n",
        "",
        "products/test_products_vrt.py::test_programs_are_not_run",
    ),
    BrokenGuard(
        "a VRT that is its own source",
        "raster/trusted.py",
        "    if real in above:",
        "    if False:",
        "products/test_products_vrt.py::test_circles",
    ),
    BrokenGuard(
        "a mask or overviews that are none",
        "raster/trusted.py",
        "        _refuse_overviews(path + ending)",
        "        pass",
        "raster/test_raster_trusted.py::test_a_mask_or_overviews_that_are_another_text[disk-.msk]",
    ),
    BrokenGuard(
        "overviews elsewhere",
        "raster/trusted.py",
        '        if not overviews.startswith(BESIDE_ITSELF) or "/" in name or "\\\\" in name:',
        "        if False:",
        "raster/test_raster_trusted.py::test_overviews_that_an_image_names",
    ),
    BrokenGuard(
        "document types and entities in XML",
        "raster/xml.py",
        "fromstring(content, forbid_dtd=True)",
        "fromstring(content, forbid_dtd=False, forbid_entities=False)",
        "raster/test_raster_xml.py::test_document_types_are_refused",
    ),
    BrokenGuard(
        "names that lead out of an archive",
        "products/archive.py",
        'all(part not in ("", "..") for part in parts)',
        "all(parts)",
        "products/test_products_archive.py::test_links_and_devices_in_a_tar_are_no_files",
    ),
    BrokenGuard(
        "objects in a .pth that run code",
        "weights/checkpoint_file.py",
        'map_location="cpu", weights_only=True)',
        'map_location="cpu", weights_only=False)',
        "weights/test_weights_released.py::test_a_pickle_that_runs_code_does_not_run",
    ),
    BrokenGuard(
        "a manifest names shards alone",
        "data/manifest.py",
        "if strangers := [shard.file for shard in self.shards if not SHARD.fullmatch(shard.file)]:",
        "if strangers := []:",
        "data/test_data_stranger_manifest.py::test_only_shards_are_named[../precious]",
    ),
    BrokenGuard(
        "classes in the metadata of a state",
        "training/trusted_state.py",
        "        if (module, name) not in OF_STATES:",
        "        if False:",
        "training/test_training_trusted_state.py::test_metadata_that_run_code",
    ),
    BrokenGuard(
        "classes in the values of a state",
        "training/trusted_state.py",
        "torch.load(value, weights_only=True)",
        "torch.load(value, weights_only=False)",
        "training/test_training_trusted_state.py::test_a_value_that_runs_code",
    ),
    BrokenGuard(
        "values of a state elsewhere",
        "training/trusted_state.py",
        "        if strangers := sorted(name for name in files if Path(name).name != name):",
        "        if strangers := []:",
        "training/test_training_trusted_state.py::test_values_of_other_folders",
    ),
    BrokenGuard(
        "files of a state elsewhere",
        "training/checkpoints.py",
        "            if Path(name).name != name:",
        "            if False:",
        "training/test_training_trusted_state.py::test_files_of_other_folders",
    ),
)

DAMAGED = (
    BrokenGuard(
        "text that is not UTF-8 in a header",
        "products/header.py",
        "        except UnicodeDecodeError as error:",
        "        except ZeroDivisionError as error:",
        "products/test_products_bad_input.py::test_text_that_is_not_utf8_in_a_header",
    ),
    BrokenGuard(
        "a member of a zip without a name",
        "products/archive.py",
        "(entry for entry in packed.infolist() if entry.filename)",
        "(entry for entry in packed.infolist())",
        "products/test_products_archive.py::test_a_member_without_a_name_is_left_out",
    ),
    BrokenGuard(
        "sizes that a file cannot hold",
        "products/header.py",
        "    refuse_absurd(path, dataset)\n    refuse_cut_off",
        "    refuse_cut_off",
        "products/test_products_bad_input.py::test_absurd_sizes_in_the_header",
    ),
    BrokenGuard(
        "sizes that the file of a mask cannot hold",
        "products/whole.py",
        "            refuse_absurd(path, dataset)\n",
        "            pass\n",
        "data/test_data_labels_masks.py::test_a_mask_of_an_absurd_size_is_refused_before_memory_is_taken",
    ),
    BrokenGuard(
        "sizes that the files of a VRT cannot hold, for a mask",
        "products/whole.py",
        "            refuse_absurd(path, dataset, tuple(source_files([path]).files))",
        "            pass",
        "data/test_data_labels_masks.py::test_a_mask_of_an_absurd_size_is_refused_before_memory_is_taken",
    ),
    BrokenGuard(
        "counts that a netCDF file cannot hold",
        "products/header.py",
        "        refuse_impossible_counts(path, os.path.getsize(path))\n",
        "",
        "products/test_products_classic_netcdf.py::test_counts_beyond_the_file_are_refused_before_it_is_opened",
    ),
    BrokenGuard(
        "values of a shard that changed",
        "data/table.py",
        "                if column_checksum(self.batch.column(name)) != self._unchecked[name]:",
        "                if False:",
        "data/test_data_column_checksums.py::test_a_flipped_bit_is_found_as_its_batch_is_first_read",
    ),
    BrokenGuard(
        "a probe that is not what was written",
        "features/probe_files.py",
        "    if hashlib.sha256(content).hexdigest() != description.checksum:",
        "    if False:",
        "features/test_features_probe.py::test_damaged_files_are_refused[other numbers]",
    ),
)

GUARDS = (*SOURCES_KEPT, *FULL_DISKS, *LEFT_BEHIND, *WEIGHTS, *RUNS, *STRANGERS, *DAMAGED)
