"""`audit`: what a person sees who looks at data of his own, and how much of a known attack it finds."""
import json
import unittest

import jsonschema

from program import InFolder, read, run, write_matrix

TRAINING = {"epochs": 2, "batch_size": 256}


class Audit(InFolder):
    def test_an_audit_of_clean_data_counts_repeats_ranks_pairs_and_probes_a_model(self):
        result = run("audit", write_matrix(self.folder, training=TRAINING), "--out", self.out, "--rows", 9)
        self.assert_code(result, 0)
        audit = read(self.out / "audit.json")
        jsonschema.validate(audit, json.loads(run("schema", "audit").stdout))
        pairs = audit["data"]["pairs"]  # Debian 13 draws two more than Debian 12
        self.assertGreater(pairs, 10000)
        self.assertGreater(audit["same_captions"]["groups"], 100)
        self.assertEqual(len(audit["rows"]), 9)
        names = [signal["name"] for signal in audit["signals"]]
        self.assertIn("local_outlier/1", names)
        self.assertNotIn("random_filter/1", names)  # a control
        self.assertNotIn("oracle_filter/1", names)  # is told the poisons
        self.assertIsNone(audit["found"])
        self.assertIn("decree/1", audit["probes"])
        self.assertIn(f"{pairs} pairs", result.stdout)
        page = (self.out / "audit.html").read_text()
        self.assertEqual(page.count("<figure>"), 9 + sum(
            len(group["pairs"]) for key in ("same_captions", "near_captions", "same_images", "near_images")
            for group in audit[key]["largest"]))
        self.assertNotIn("<!--", page)
        self.assertNotIn("http", page)
        again = run("audit", self.folder / "matrix.json", "--out", self.out, "--rows", 9)
        self.assert_code(again, 0)
        self.assertEqual(read(self.out / "audit.json"), audit)  # from its checkpoint

    def test_repeated_target_images_stand_in_the_first_rows(self):
        matrix = write_matrix(self.folder, training=TRAINING,
                              attacks=[{"plugin": "targeted", "targets": 4, "captions": 12}])
        poisons = self.folder / "poisons"
        self.assert_code(run("poison", "make", matrix, "--out", poisons), 0)
        result = run("audit", matrix, "--out", self.out, "--poisons", poisons / "targeted-s1", "--filters", "clip_score")
        self.assert_code(result, 0)
        audit = read(self.out / "audit.json")
        jsonschema.validate(audit, json.loads(run("schema", "audit").stdout))
        found = audit["found"]
        self.assertEqual(found["poisons"], 48)
        by_name = {signal["name"]: signal for signal in found["signals"]}
        self.assertGreater(by_name["captions of an image"]["auroc"], 0.9)
        self.assertIn("Of 48 known poisons", result.stdout)

    def test_mistakes_are_told(self):
        matrix = write_matrix(self.folder, training={**TRAINING, "learning_rate": {"sweep": [1e-3, 2e-3]}})
        for arguments, code, said in (
            (("emojis",), 3, 'unknown data set "emojis"'),
            (("emoji", "--filters", "local_outlyer"), 5, 'did you mean "local_outlier"'),
            (("emoji", "--poisons", self.folder / "none"), 6, "none"),
            ((matrix,), 3, "an audit trains one model"),
        ):
            result = run("audit", *arguments, "--out", self.out)
            self.assert_code(result, code)
            self.assertIn(said, result.stderr)


if __name__ == "__main__":
    unittest.main()
