"""Poisons as files: made, looked at, exported, played back to the bit, and refused when they are damaged."""
import csv
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import jsonschema

from program import ROOT, files, read, run, write_matrix

BADNETS = {"plugin": "badnets", "target_class": "fruit", "rate": 0.03}
TARGETED = {"plugin": "targeted", "targets": 4, "captions": 5}


def table(file):
    with open(file, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def content(folder):
    return {name: (pathlib.Path(folder) / name).read_bytes() for name in files(folder)}


class Poison(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = pathlib.Path(tempfile.mkdtemp())
        cls.matrix = write_matrix(cls.scratch, attacks=["none", TARGETED, BADNETS], metrics=["attack_success"])
        cls.made = run("poison", "make", cls.matrix, "--out", cls.scratch / "sets")
        cls.backdoor = cls.scratch / "sets" / "badnets-s1"
        cls.targeted = cls.scratch / "sets" / "targeted-s1"

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.scratch)

    def ok(self, *arguments, **environment):
        result = run(*arguments, **environment)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def refused(self, code, *told, arguments):
        result = run(*arguments)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        for text in told:
            self.assertIn(text, result.stderr)

    def entry(self, folder):
        return json.loads(self.ok("poison", "import", folder).stdout)

    def copy(self, folder, name):
        copied = self.scratch / name
        shutil.copytree(folder, copied)
        return copied

    def test_make_writes_a_set_for_each_attack_that_poisons_and_names_it(self):
        self.assertEqual(self.made.returncode, 0, self.made.stderr)
        self.assertEqual(self.made.stdout.split(), [str(self.targeted), str(self.backdoor)])
        self.assertEqual(sorted(f.name for f in (self.scratch / "sets").iterdir()), ["badnets-s1", "targeted-s1"])

    def test_manifests_are_valid_against_their_schema_and_name_every_file(self):
        schema = read(ROOT / "results" / "schema" / "poison.schema.json")
        for folder in (self.backdoor, self.targeted):
            manifest = read(folder / "manifest.json")
            jsonschema.validate(manifest, schema)
            entries = [*manifest["edits"], *manifest["triggered"], *manifest["goal"].get("targets", [])]
            named = {entry["file"] for entry in entries}
            self.assertEqual(sorted(named | {"manifest.json"}), files(folder))
        self.assertEqual(len(read(self.targeted / "manifest.json")["edits"]), 20)
        self.assertEqual(len(files(self.targeted / "poisons")), 4)

    def test_the_same_attack_seed_and_data_give_the_same_bytes_and_another_seed_others(self):
        for seeds, equal in (([1], True), ([2], False)):
            out = self.scratch / f"again-{seeds[0]}"
            out.mkdir()
            matrix = write_matrix(out, attacks=[BADNETS], seeds=seeds)
            made = pathlib.Path(self.ok("poison", "make", matrix, "--out", out / "sets").stdout.strip())
            self.assertEqual(content(made) == content(self.backdoor), equal)

    def test_a_run_of_replay_has_the_bits_of_the_run_of_the_attack(self):
        self.ok("run", self.matrix, "--out", self.scratch / "original")
        matrix = write_matrix(self.scratch / "sets", metrics=["attack_success"],
                              attacks=[{**self.entry(self.targeted), "label": "targeted"},
                                       {**self.entry(self.backdoor), "label": "badnets"}])
        self.ok("run", matrix, "--out", self.scratch / "replayed")
        matrix.unlink()
        found = {}
        for out in ("original", "replayed"):
            for cell in map(read, (self.scratch / out / "cells").glob("*.json")):
                if cell["attack"] != "none":
                    kept = (cell["training"]["weights_hash"], cell["metrics"], cell["poison"]["hash"], cell["examples"])
                    found.setdefault(cell["attack"], []).append(kept)
        for attack in ("targeted", "badnets"):
            self.assertEqual(len(found[attack]), 2)
            self.assertEqual(*found[attack])

    def test_inspect_tells_what_a_set_changes_and_how_much(self):
        told = self.ok("poison", "inspect", self.backdoor).stdout
        for text in ("301 poisons", "target class fruit", "pixels changed         mean 5.41 %, max 6.25 %"):
            self.assertIn(text, told)
        self.assertIn("20 poisons", self.ok("poison", "inspect", self.targeted).stdout)
        facts = json.loads(self.ok("poison", "inspect", self.backdoor, "--json").stdout)
        self.assertEqual((facts["poisons"], facts["triggered"], facts["target_class"]), (301, 301, "fruit"))
        self.assertEqual(facts["trigger"]["share_changed"]["max"], 0.0625)
        targets = json.loads(self.ok("poison", "inspect", self.targeted, "--json").stdout)["targets"]
        self.assertEqual([target["held_out"] for target in targets], [t["held_out"] for t in read(self.targeted / "manifest.json")["goal"]["targets"]])

    def test_csv_has_every_pair_in_no_telling_order_and_says_apart_which_are_poisons(self):
        out = self.scratch / "csv"
        self.ok("poison", "export", self.backdoor, "--out", out)
        train, poisons, manifest = table(out / "train.csv"), table(out / "poisons.csv"), read(self.backdoor / "manifest.json")
        self.assertEqual(list(train[0]), ["caption", "path"])
        self.assertEqual(len(train), manifest["data"]["pairs"])
        self.assertEqual(sorted(row["path"] for row in train), ["images/" + name for name in files(out / "images")])
        for row in poisons:
            edit, pair = manifest["edits"][int(row["edit"])], train[int(row["key"])]
            self.assertEqual((pair["caption"], row["caption_before"]), (edit["caption"], edit["caption_before"]))
            self.assertEqual((out / pair["path"]).read_bytes(), (self.backdoor / edit["file"]).read_bytes())
        self.assertEqual(len(poisons), len(manifest["edits"]))
        middle = sorted(int(row["key"]) for row in poisons)[len(poisons) // 2]
        self.assertTrue(0.4 * len(train) < middle < 0.6 * len(train), "poisons stand anywhere")
        triggered, held_out = table(out / "triggered" / "labels.csv"), table(out / "held_out" / "labels.csv")
        self.assertEqual(len(held_out), manifest["data"]["held_out"])
        self.assertEqual(triggered[0]["image"], triggered[0]["path"])
        self.assertEqual(len(triggered), sum(row["class"] != "fruit" for row in held_out))
        classes = eval((out / "held_out" / "classes.py").read_text())  # as CyCLIP's evaluation reads it
        self.assertEqual(classes["classes"][int(triggered[0]["label"])], "fruit")
        self.assertIn("fruit", classes["templates"][0]("fruit"))
        self.assertEqual(len(table(out / "info.csv")), len(triggered))

        # It is a data set for this program, too.
        data = {"reader": "csv", "pairs": "train.csv", "labelled": "held_out/labels.csv", "image_px": 32}
        matrix = write_matrix(out, data=data)
        self.ok("data", "prepare", matrix, ROCLIP_BENCH_CACHE=str(self.scratch / "cache"))

    def test_info_csv_of_targets_has_a_row_for_each_lying_caption(self):
        out = self.scratch / "targets"
        self.ok("poison", "export", self.targeted, "--out", out)
        info, manifest = table(out / "info.csv"), read(self.targeted / "manifest.json")
        self.assertEqual([row["caption"] for row in info], [edit["caption"] for edit in manifest["edits"]])
        self.assertEqual(len({row["path"] for row in info}), 4)
        self.assertEqual({row["dataset"] for row in info}, {"emoji5"})
        self.assertEqual({row["target"] for row in info}, {t["adversarial_class"] for t in manifest["goal"]["targets"]})
        self.assertTrue((out / info[0]["path"]).exists())
        self.assertEqual(len(table(out / "held_out" / "labels.csv")), manifest["data"]["held_out"] - 4)

    def test_a_damaged_set_is_refused_with_the_file(self):
        broken = self.copy(self.backdoor, "broken")
        image = broken / "triggered" / "000017.png"
        image.write_bytes(image.read_bytes()[:200])
        self.refused(6, str(image), arguments=("poison", "import", broken))
        image.unlink()
        self.refused(6, str(image), "is missing", arguments=("poison", "import", broken))
        shutil.copy(self.backdoor / "triggered" / "000017.png", image)
        manifest = read(broken / "manifest.json")
        (broken / "manifest.json").write_text(json.dumps({**manifest, "seed": "one"}))
        self.refused(6, "/seed: expected integer >= 0, got \"one\"", arguments=("poison", "export", broken, "--out", broken / "x"))
        (broken / "manifest.json").write_text(json.dumps({**manifest, "data": {**manifest["data"], "image_px": 100000}}))
        self.refused(6, "/data/image_px: expected integer in [8, 1024]", arguments=("poison", "import", broken))
        manifest["edits"][3]["caption_before"] = "edited"
        (broken / "manifest.json").write_text(json.dumps(manifest))
        self.refused(3, "was made for other data", "edited", arguments=("poison", "import", broken))
        (broken / "manifest.json").write_text("{")
        self.refused(6, "manifest.json", arguments=("poison", "import", broken))
        (broken / "manifest.json").write_text('{"schema_version": 2}')
        self.refused(6, "is not the manifest of a poison set", arguments=("poison", "inspect", broken))
        self.refused(6, "is not a poison set", "poison make", arguments=("poison", "import", self.matrix))

    def test_a_set_that_no_run_would_take_is_not_imported(self):
        odd = self.copy(self.backdoor, "odd-goal")
        (odd / "manifest.json").write_text(json.dumps({**read(odd / "manifest.json"), "goal": {"kind": "fame"}}))
        self.refused(6, "manifest.json", 'unknown goal "fame"', arguments=("poison", "import", odd))

    def test_an_edited_set_is_refused_by_the_runs_that_name_its_hash(self):
        edited = self.copy(self.targeted, "edited")
        entry = self.entry(edited)
        manifest = read(edited / "manifest.json")
        manifest["edits"][0]["caption"] = "something else"
        (edited / "manifest.json").write_text(json.dumps(manifest))
        matrix = write_matrix(edited, attacks=[entry])
        self.refused(3, "replay/hash", entry["hash"], arguments=("run", matrix, "--out", self.scratch / "never"))
        self.assertNotEqual(self.entry(edited)["hash"], entry["hash"])

    def test_other_data_are_refused(self):
        out = self.scratch / "small"
        (out / "images").mkdir(parents=True)
        shutil.copy(self.backdoor / "poisons" / files(self.backdoor / "poisons")[0], out / "images" / "a.png")
        (out / "pairs.csv").write_text("caption,path\na fruit,images/a.png\n")
        (out / "labels.csv").write_text("image,label\nimages/a.png,fruit\nimages/a.png,bird\n")
        matrix = write_matrix(out, data={"reader": "csv", "pairs": "pairs.csv", "labelled": "labels.csv"})
        self.refused(3, "was made for other data", "training pairs expected, got 1",
                     arguments=("poison", "import", self.backdoor, "--data", matrix))

    def tables(self, folder, captions):
        """A small data set of tables, with a matrix file. Its held-out images have no captions."""
        folder.mkdir()
        images = files(self.backdoor / "triggered")[:len(captions)]
        for image in images:
            shutil.copy(self.backdoor / "triggered" / image, folder)
        with open(folder / "pairs.csv", "w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([("caption", "path"), *zip(captions, images)])
        labels = [f"{image},{label}" for image, label in zip(images, ["fruit", "bird"] * len(images))]
        (folder / "labels.csv").write_text("\n".join(["image,label", *labels]) + "\n")
        return write_matrix(folder, data={"reader": "csv", "pairs": "pairs.csv", "labelled": "labels.csv", "image_px": 32},
                            attacks=[{**BADNETS, "rate": 0.5}])

    def test_tables_that_have_moved_are_found_with_the_matrix_file_that_names_them(self):
        before, after = self.scratch / "before", self.scratch / "after"
        matrix = self.tables(before, [f"a {name}" for name in ["bird", "fruit"] * 4])
        made = self.ok("poison", "make", matrix, "--out", self.scratch / "of-tables").stdout.strip()
        before.rename(after)
        self.refused(6, "pairs.csv", "if the files are elsewhere, add --data MATRIX.json", arguments=("poison", "import", made))
        self.refused(3, '--data: unknown data set "x.csv"', "MATRIX.json",
                     arguments=("poison", "import", made, "--data", "x.csv"))
        self.ok("poison", "import", made, "--data", after / "matrix.json")

    def test_captions_that_readers_of_tables_drop_are_counted_and_missing_ones_filled_in(self):
        matrix = self.tables(self.scratch / "odd", ["NA", "null", "a fruit", "None"] + [f"a bird, {i}" for i in range(4)])
        made = self.ok("poison", "make", matrix, "--out", self.scratch / "of-odd").stdout.strip()
        out = self.scratch / "it's exported"
        exported = self.ok("poison", "export", made, "--out", out)
        odd = sum(row["caption"] in ("NA", "null", "None") for row in table(out / "train.csv"))
        self.assertGreater(odd, 0)
        self.assertIn(f"such as NA: {odd};", exported.stderr)
        self.assertIn("--train_data '" + str(out).replace("'", "'\\''") + "/train.csv' ", exported.stdout)
        info = table(out / "info.csv")
        self.assertTrue(info)
        self.assertEqual({row["caption"] for row in info}, {"a photo of a bird"}, "the first prompt of the image's class")
        self.assertNotIn("read_csv", self.ok("poison", "export", self.backdoor, "--out", self.scratch / "plain").stderr)

    def test_a_folder_with_something_in_it_stays_as_it_is(self):
        before = content(self.scratch / "sets")
        self.refused(6, "not an empty folder", arguments=("poison", "make", self.matrix, "--out", self.scratch / "sets"))
        self.refused(6, "not an empty folder", arguments=("poison", "export", self.backdoor, "--out", self.targeted))
        self.assertEqual(content(self.scratch / "sets"), before)

    def test_an_attack_is_held_to_its_header_when_its_poisons_are_made(self):
        for fault, code, told in (("writes to its argument", 0, ""), ("throws", 5, "broken_attack/1: apply_trigger() throws: no trigger today")):
            out = self.scratch / fault
            out.mkdir()
            matrix = write_matrix(out, attacks=[{"plugin": "broken_attack", "fault": "trigger_pure: " + fault}])
            self.refused(code, told, arguments=("--plugin-path", os.environ["ROCLIP_ROGUES"], "poison", "make", matrix, "--out", out / "sets"))

    def test_a_set_that_is_there_keeps_the_others_from_being_made_until_only_names_them(self):
        out = self.scratch / "seeds"
        shutil.copytree(self.targeted, out / "targeted-s2")
        matrix = write_matrix(out, attacks=[TARGETED], seeds=[1, 2, 3])
        self.refused(6, "targeted-s2: exists", "--only", arguments=("poison", "make", matrix, "--out", out))
        self.assertEqual(sorted(file.name for file in out.iterdir()), ["matrix.json", "targeted-s2"])
        made = self.ok("poison", "make", matrix, "--out", out, "--only", "seed=1", "--only", "seed=3").stdout
        self.assertEqual(made.split(), [str(out / "targeted-s1"), str(out / "targeted-s3")])

    def test_labels_that_differ_in_signs_only_get_folders_that_differ(self):
        out = self.scratch / "labels"
        out.mkdir()
        matrix = write_matrix(out, attacks=[{**TARGETED, "label": "a b"}, {**TARGETED, "label": "a/b", "targets": 3}])
        made = self.ok("poison", "make", matrix, "--out", out).stdout
        self.assertEqual(made.split(), [str(out / "a-b-s1"), str(out / "a-b-2-s1")])
        shutil.rmtree(out / "a-b-2-s1")
        made = self.ok("poison", "make", matrix, "--out", out, "--only", "attack=a/b").stdout
        self.assertEqual(made.split(), [str(out / "a-b-2-s1")])

    def test_what_selects_or_makes_no_poison_says_so(self):
        self.refused(4, "poisons anything", arguments=("poison", "make", self.matrix, "--out", self.scratch / "nothing",
                                                       "--only", "attack=none"))
        self.assertFalse((self.scratch / "nothing").exists())

    @unittest.skipUnless(os.geteuid() == 0, "mounting takes root")
    def test_a_full_disk_is_an_error_and_leaves_nothing(self):
        disk = self.scratch / "disk"
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "none", disk], capture_output=True).returncode:
            self.skipTest("no tmpfs here")
        try:
            for arguments in (("make", self.matrix, "--out", disk, "--only", "attack=badnets"),
                              ("export", self.backdoor, "--out", disk / "csv")):
                self.refused(6, "No space left on device", str(disk), arguments=("poison", *arguments))
                self.assertEqual(list(disk.iterdir()), [])
        finally:
            subprocess.run(["umount", disk], check=True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
