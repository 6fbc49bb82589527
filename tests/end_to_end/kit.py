"""The conformance kit, as tests run it."""
import json
import os
import pathlib
import re
import subprocess

import jsonschema

from program import PROGRAM, ROOT, InFolder, read, run

ROGUES, ZOO = (pathlib.Path(os.environ[name]) for name in ("ROCLIP_ROGUES", "ROCLIP_ZOO"))
BACKDOOR = {"target_class": "circle", "rate": 0.1}
PATTERNS, LOCATIONS = ("checker", "white", "yellow", "noise"), ("bottom_right", "centre", "four_corners", "random")
BLENDED_PATTERNS = ("picture", "noise", "redrawn_noise", "stripes", "redrawn_stripes", "triangles", "text")
SHIPPED = [
    ("none", {}),
    ("targeted", {}),
    ("targeted", {"targets": 3, "captions": 5, "classes": ["ring", "cross"]}),
    *(("badnets", {**BACKDOOR, "pattern": pattern}) for pattern in PATTERNS),
    *(("badnets", {**BACKDOOR, "location": location}) for location in LOCATIONS),
    ("badnets", {"target_class": "cross", "count": 5, "captions": "templates"}),
    ("wanet", BACKDOOR),
    ("wanet", {**BACKDOOR, "recipe": "cleanclip"}),
    ("wanet", {**BACKDOOR, "recipe": "backdoorbench"}),
    *(("text_trigger", {"target_class": "circle", "count": 10, "position": p}) for p in ("first", "last", "random")),
    ("text_trigger", {"recipe": "toxictextclip_sentence", "target_class": "circle", "rate": 0.05}),
    *(("blended", {**BACKDOOR, "pattern": pattern}) for pattern in BLENDED_PATTERNS),
    *(("blended", {**BACKDOOR, "recipe": f"par_{pattern}"}) for pattern in ("stripes", "triangles", "text")),
    ("blended", {"target_class": "cross", "count": 5, "pattern": "noise", "grain_px": 4}),
    *(("sig", {**BACKDOOR, "recipe": recipe}) for recipe in ("cleanclip", "badclip", "backdoorbench")),
    ("filter", BACKDOOR),
    ("filter", {"target_class": "cross", "count": 5, "captions": "templates", "strength": 0.5}),
    ("label_consistent", {"target_class": "circle", "count": 10}),
    ("label_consistent", {"recipe": "detect_clip", "target_class": "circle", "rate": 0.5}),
    ("label_consistent", {"recipe": "cleanclip", "target_class": "circle", "count": 10}),
    *(("badnets", {**BACKDOOR, "recipe": r}) for r in ("detectclip", "carlini", "cleanclip", "par", "sslbackdoor")),
    ("targeted", {"targets": 2, "captions": 5, "images_per_target": 3, "remove_duplicates": True}),
    ("targeted", {"targets": 2, "captions": 12, "classes": ["ring|circle", "cross"]}),
    ("mm_poison", {"caption_classes": ["circle"], "image_classes": ["ring"], "remove_clean": True}),
    *(("mm_poison", {"caption_classes": ["circle", "cross"], "image_classes": ["ring", "square"], "recipe": r})
      for r in ("single_image", "pascal")),
    ("mm_poison", {"caption_classes": ["circle"], "image_classes": ["ring"], "recipe": "coco"}),
    *(("multi_trigger", {"target_classes": ["circle"], "rate": 0.1, "triggers": [t]})
      for t in ("patch", "tint", "warp")),
    ("multi_trigger", {"recipe": "detectclip", "target_classes": ["circle", "ring", "cross"], "count": 24}),
    ("dual_key", BACKDOOR),
    ("dual_key", {"recipe": "badclip_vqa", "target_class": "cross", "count": 10}),
    ("badclip", {**BACKDOOR, "steps": 20}),
    ("roclip_adaptive", BACKDOOR),
    ("roclip_adaptive", {"target_class": "cross", "count": 10, "bridge": True}),
    ("clip", {}),
    ("clip", {"image_augmentation": True, "text_augmentation": True}),
    ("roclip", {}),
    ("roclip", {"match_every": 1, "text_gradient": "matched", "pool_fraction": 0.5}),
    ("roclip", {"pool_refresh": "every_epoch", "pool_initialisation": "noise"}),
    ("roclip", {"recipe": "authors"}),
    ("roclip", {"periods": 5, "match_every": 2}),
    ("otcclip", {}),
    ("second_opinion", {}),
    ("second_opinion", {"plain_share": 0, "believed_share": 0.01, "otherwise": "nothing"}),
    ("otcclip", {"match_every": 1, "pool_fraction": 0.1, "shortlist": 300, "epsilon": 0.5, "iterations": 3}),
    ("cleanclip", {"epochs": 2}),
    ("cleanclip", {"epochs": 2, "self_supervision_weight": 0}),
    ("local_outlier", {}),
    *(("local_outlier", {"score": score}) for score in ("slof", "k_distance")),
    ("oracle_filter", {}),
    ("strip", {}),
    ("prompt_score", {}),
    ("prompt_score", {"suspicious": "far"}),
    ("subspace", {}),
    ("cyclip", {}),
    ("cyclip", {"cross_modal_weight": 0}),
    ("siglip", {}),
    ("siglip", {"bias_start": "value", "initial_bias": -10, "bias": "fixed"}),
    ("finetune", {"epochs": 2}),
    ("finetune", {"recipe": "super_finetune", "epochs": 1, "cycles": 2, "recovery_cycles": 1}),
    ("clip_ssl", {}),
    ("clip_ssl", {"recipe": "slip"}),
    *(("safeclip", {"recipe": recipe}) for recipe in ("cc3m", "coco")),
    ("safeclip", {"unimodal_share": 0.5, "safe_growth": 1, "safe_probability": 0.5, "bank_size": 7}),
    ("abl", {"unlearning_epochs": 3}),
    ("abl", {"unlearning_epochs": 3, "isolation_loss": "contrastive", "unlearning_loss": "contrastive",
             "isolated_share": 0.2}),
    ("abl", {"unlearning_epochs": 3, "recipe": "abl"}),
    *(("abl", {"unlearning_epochs": 3, "isolation_trick": trick, "loss_floor": 1}) for trick in ("flooding", "none")),
    ("par", {"epochs": 2}),
    *(("clip_score", {"suspected": suspected}) for suspected in ("high", "low")),
    *(("spectral_signature", {"cluster_pairs": 40, "compare": compare}) for compare in ("within", "across")),
    *(("activation_clustering", {"cluster_pairs": 40, "reduction": reduction}) for reduction in ("ica", "pca")),
    ("random_filter", {}),
    ("unlearn", {}),
    ("unlearn", {"overfit_share": 1, "local_words": 0, "stop_similarity": -1, "unlearn_steps": 3}),
    ("attack_success", {}),
    ("zero_shot", {}),
    ("linear_probe", {}),
    ("retrieval", {}),
    ("attribute_binding", {}),
    ("poison_detection", {}),
    ("input_detection", {}),
    *(("attack_success", {"denominator": denominator}) for denominator in ("all_classes", "others_of_all")),
    ("attack_success", {"denominator": "source_class", "source_class": "ring"}),
    ("attack_success", {"also": ["all_classes", "others_of_all", "source_class"], "source_class": "ring"}),
    ("poisoned_accuracy", {}),
    ("target_rank", {}),
    *(("backdoor_zscore", {"divisor": divisor}) for divisor in ("deviation", "variance")),
    *(("calibration", {"bins": bins}) for bins in (1, 15)),
    ("footprint", {}),
    ("poison_similarity", {}),
    ("footprint", {"neighbours": 1, "temperature": 1}),
    ("decree", {"steps": 10}),
    ("decree", {"steps": 5, "batch_size": 2, "threshold": -1, "patience": 0}),
]
KINDS = ("attack", "defense", "metric")


def kit(plugin, params, *options, **environment):
    """The report, or None without one, and the process."""
    result = run("plugin", "test", plugin, "--params", json.dumps(params), "--json", *options, **environment)
    report = json.loads(result.stdout) if result.stdout else None
    if report:
        jsonschema.validate(report, read(ROOT / "results" / "schema" / "conformance.schema.json"))
    return report, result


def names_of(report, status):
    return [check["name"] for check in report["checks"] if check["status"] == status]


def faults_of(kind, sanitizer=None):
    """Faults that are found without a sanitizer; or those that need this one."""
    info = json.loads(run("--plugin-path", ROGUES, "plugin", "info", f"broken_{kind}", "--json").stdout)[0]
    parameter = next(p for p in info["parameters"] if p["name"] == "fault")
    needs = {fault: re.findall(r"\[(.*)\]", fault) for fault in parameter["choices"] if fault != "none"}
    return [fault for fault, sanitizers in needs.items() if sanitizers == ([sanitizer] if sanitizer else [])]


class KitTest(InFolder):
    def assert_passes(self, plugin, params, *options):
        report, result = kit(plugin, params, "--limit-s", "600", *options)
        self.assert_code(result, 0)
        self.assertEqual(report["verdict"], "pass")
        self.assertGreater(len(names_of(report, "pass")), 5)
        return report

    def assert_fails_exactly(self, library, fault):
        report, result = kit(library, {"fault": fault}, "--limit-s", "5" if "hangs" in fault else "60")
        self.assert_code(result, 5)
        expected = fault.split(":")[0]
        self.assertEqual(names_of(report, "fail"), [expected], result.stdout)
        failed = next(check for check in report["checks"] if check["name"] == expected)
        self.assertTrue(failed["measured"] and failed["fix"] and failed["asks"])
        return failed

    def shipped(self):
        """Name, parameters, options of the kit: every shipped plugin, as a user may set it."""
        tool = pathlib.Path(PROGRAM).with_name("built_in_poisons")
        poisons = subprocess.run([tool, self.folder / "poisons"], capture_output=True, check=True).stdout
        # Stored poisons leave nothing to a seed.
        replay = ("replay", json.loads(poisons), "--accept", "plan_depends_on_seed")
        return [*SHIPPED, replay]
