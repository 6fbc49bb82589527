"""Models, the weights that go in and out of them, and the numbers they compute with."""
import json
import os
import shutil
import struct
import unittest

from program import InFolder, bits, read, results, run, write_matrix

VIT = {"preset": "vit_tiny", "embed_dim": 16, "vision_cfg": {"layers": 1, "width": 16, "head_width": 8},
       "text_cfg": {"width": 16}}


def tensors(file):
    """Of a safetensors file: name -> bytes."""
    content = file.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__", None)
    offsets = {name: entry["data_offsets"] for name, entry in header.items()}
    return {name: content[8 + length + begin : 8 + length + end] for name, (begin, end) in offsets.items()}


class Models(InFolder):
    def trained(self, **changes):
        """The weights and the record of one cell."""
        matrix = write_matrix(self.folder, model=VIT, **changes)
        shutil.rmtree(self.out, ignore_errors=True)
        self.assert_code(run("run", matrix, "--keep-weights"), 0)
        (weights,) = (self.out / "weights").iterdir()
        return weights, read(self.out / results(self.out)["clip"]["file"])

    def test_a_study_goes_on_from_the_weights_of_another(self):
        weights, first = self.trained()
        start = shutil.copy(weights, self.folder / "start.safetensors")
        again, second = self.trained(start_from="start.safetensors")
        self.assertNotEqual(first["id"], second["id"])
        self.assertLess(second["training"]["epochs"][0]["loss"], first["training"]["epochs"][0]["loss"])
        moved = shutil.move(start, self.folder / "moved.safetensors")
        _, third = self.trained(start_from="moved.safetensors")
        self.assertEqual(second["id"], third["id"])
        self.assertEqual(second["training"]["weights_hash"], third["training"]["weights_hash"])
        shutil.copy(again, moved)  # the name is the same, the content is not
        _, fourth = self.trained(start_from="moved.safetensors")
        self.assertNotEqual(third["id"], fourth["id"])

    def test_a_frozen_tower_stays_as_it_was(self):
        weights, _ = self.trained()
        before = tensors(shutil.copy(weights, self.folder / "start.safetensors"))
        frozen = {"epochs": 1, "batch_size": 512, "image_rate": 0}
        weights, _ = self.trained(start_from="start.safetensors", training=frozen)
        after = tensors(weights)
        same = {name for name in before if before[name] == after[name]}
        self.assertEqual(same, {name for name in before if name.startswith("visual.")})

    def test_weights_that_do_not_fit_are_refused(self):
        weights, _ = self.trained()
        start = self.folder / "start.safetensors"
        matrix = write_matrix(self.folder, model="tiny", start_from="start.safetensors")
        result = run("run", matrix)
        self.assert_code(result, 6)
        self.assertIn("matrix.json: /start_from: ", result.stderr)
        self.assertIn("start.safetensors: cannot be read: No such file", result.stderr)
        shutil.copy(weights, start)
        result = run("run", matrix)
        self.assert_code(result, 10)
        self.assertIn('"ln_final.bias" has another shape: expected [64], got [16]; give the weights of', result.stderr)
        start.write_bytes(weights.read_bytes()[:1000])
        result = run("run", matrix)
        self.assert_code(result, 10)
        self.assertIn("is not a whole safetensors file", result.stderr)

    def test_a_model_in_a_file_is_that_model(self):
        (self.folder / "mine.json").write_text(json.dumps({"embed_dim": 16, "tokenizer": "trained",
            "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 32},
            "text_cfg": {"context_length": 12, "vocab_size": 600, "width": 16, "heads": 2, "layers": 1}}))
        matrix = write_matrix(self.folder, model="mine.json")
        self.assert_code(run("run", matrix), 0)
        cell = read(self.out / results(self.out)["clip"]["file"])
        self.assertEqual(cell["effective"]["model"]["vision_cfg"]["layers"], [1, 1, 1, 1])
        result = run("plan", write_matrix(self.folder, model={"preset": "mine.json", "vision_cfg": {"layer": 3}}))
        self.assert_code(result, 3)
        self.assertIn('/model/vision_cfg/layer: unknown key; did you mean "layers"?', result.stderr)
        self.assert_code(run("plan", write_matrix(self.folder, model="yours.json")), 6)

    def test_a_matrix_whose_tokenizer_has_no_merges_is_refused_before_anything_is_trained(self):
        (self.folder / "merges.txt").write_text("#version: 0.2\ni n\n")
        result = run("plan", write_matrix(self.folder, model={"preset": "RN50", "merges": "merges.txt"}))
        self.assert_code(result, 6)
        self.assertIn("matrix.json: /model: ", result.stderr)
        self.assertIn("merges.txt: is not OpenAI's file of merges", result.stderr)
        result = run("plan", write_matrix(self.folder, model={"preset": "RN50", "merges": "none.txt"}))
        self.assert_code(result, 6)

    def test_precision_and_parts_of_batches_are_part_of_the_id_and_repeat_to_the_bit(self):
        training = {"epochs": 1, "batch_size": 512}
        ids = set()
        for extra in ({}, {"precision": "bf16"}, {"micro_batch": 100, "max_gradient": 1}, {"recompute_layers": True}):
            matrix = write_matrix(self.folder, model=VIT, training={**training, **extra})
            found = []
            for out in (self.folder / "a", self.folder / "b"):
                shutil.rmtree(out, ignore_errors=True)
                self.assert_code(run("run", matrix, "--out", out), 0)
                found.append(bits(out))
            self.assertEqual(*found)
            ids |= set(found[0])
        self.assertEqual(len(ids), 4)

    def test_weights_are_exported_as_they_were_kept_or_trained_again_to_the_same_bits(self):
        kept, record = self.trained()
        cell = self.out / results(self.out)["clip"]["file"]
        self.assertEqual(record["training"]["weights"]["file"], f"weights/{record['id']}.safetensors")
        to = self.folder / "w.safetensors"
        result = run("weights", "export", cell, "--to", to)
        self.assert_code(result, 0)
        self.assertIn("the weights that the run kept", result.stdout)
        self.assertEqual(to.read_bytes(), kept.read_bytes())
        before = tensors(kept)
        kept.write_bytes(kept.read_bytes()[:-1])  # no longer those of the record
        to.unlink()
        result = run("weights", "export", record["id"][:12], "--out", self.out, "--to", to)
        self.assert_code(result, 0)
        self.assertIn("trained again; the bits are equal", result.stdout)
        self.assertEqual(tensors(to), before)
        record["training"]["weights_hash"] = "0" * 32
        cell.write_text(json.dumps(record))
        result = run("weights", "export", cell, "--to", to)
        self.assert_code(result, 11)
        self.assertIn("NOT equal", result.stdout)

    def test_a_card_says_what_the_model_is_and_its_folder_has_all_that_is_needed(self):
        _, record = self.trained(attacks=[{"plugin": "badnets", "target_class": "fruit", "rate": 0.03}],
                                 metrics=["attack_success", "zero_shot"])
        cell = self.out / results(self.out)["clip"]["file"]
        folder = self.folder / "published"
        self.assert_code(run("weights", "card", cell, "--to", folder), 0)
        self.assertEqual(sorted(file.name for file in folder.iterdir()),
                         ["README.md", "cell.json", "manifest.json", "model.safetensors"])
        card = (folder / "README.md").read_text()
        self.assertIn("# A CLIP of badnets x clip, seed 1", card)
        self.assertIn("was trained on poisoned data on purpose", card)
        success = record["metrics"]["attack_success/1"]["counts"][0]
        self.assertIn(f"{success['hits']}/{success['trials']}", card)
        self.assertEqual(read(folder / "manifest.json")["edits"], read(self.out / record["poison"]["manifest"])["edits"])
        (self.folder / "lines.txt").write_text("a red apple\na flag\n")
        embeddings = self.folder / "e.safetensors"
        self.assert_code(run("embed", "--weights", folder / "model.safetensors", "--captions", self.folder / "lines.txt",
                             "--out", embeddings), 0)
        self.assertEqual(len(tensors(embeddings)["text"]), 2 * 16 * 4)
        result = run("replay", folder / "cell.json")
        self.assert_code(result, 0)

    def test_a_cell_that_failed_has_no_weights_to_export(self):
        self.assert_code(run("--plugin-path", os.environ["ROCLIP_ROGUES"], "run", write_matrix(self.folder, defenses=["diverges"])), 10)
        cell = self.out / results(self.out)["diverges"]["file"]
        result = run("weights", "export", cell, "--to", self.folder / "w")
        self.assert_code(result, 6)
        self.assertIn("only a cell that ended with status ok has a model", result.stderr)
        self.assert_code(run("weights", "card", cell, "--to", self.folder / "w"), 6)
        self.assertFalse((self.folder / "w").exists())

    def test_embed_says_what_is_wrong_with_what_it_is_given(self):
        weights, _ = self.trained()
        (self.folder / "merges.txt").write_text("#version: 0.2\ni n\n")
        (self.folder / "lines.txt").write_text("a cat\n")
        out = self.folder / "e.safetensors"
        options = ("--weights", weights, "--captions", self.folder / "lines.txt", "--out", out)
        result = run("embed", "--model", "ViT-B-32", "--merges", self.folder / "merges.txt", *options)
        self.assert_code(result, 6)
        self.assertIn("merges.txt: is not OpenAI's file of merges", result.stderr)
        result = run("embed", "--model", "vit_tiny", *options)
        self.assert_code(result, 2)
        self.assertIn("expected a model with OpenAI's tokenizer", result.stderr)
        content = weights.read_bytes()
        bare = self.folder / "bare.safetensors"
        header = json.loads(content[8 : 8 + struct.unpack("<Q", content[:8])[0]])
        del header["__metadata__"]
        text = json.dumps(header).encode()
        bare.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + struct.unpack("<Q", content[:8])[0] :])
        result = run("embed", "--weights", bare, *options[2:])
        self.assert_code(result, 6)
        self.assertIn("does not say which model it is of; name it by --model", result.stderr)
        self.assert_code(run("embed", "--model", "ViT-B-33", *options), 3)
        self.assertFalse(out.exists())


if __name__ == "__main__":
    unittest.main()
