#!/usr/bin/env python3
"""The table of `run`: pairs per second of CPU time, medians over rounds, and the ratio to our bare loop.

    table.py RESULTS
"""
import json
import statistics
import sys
from pathlib import Path

rounds = [json.loads(file.read_text()) for file in sorted(Path(sys.argv[1]).glob("*.json"))]
sizes = sorted(rounds[0]["px"], key=int)
ways = list(dict.fromkeys(way for found in rounds for way in next(iter(found["px"].values()))))
median = lambda px, way: statistics.median(
    found["px"][px][way]["pairs_per_cpu_s"] for found in rounds if way in found["px"][px])

print("| pairs per second of CPU time | " + " | ".join(f"{px} px" for px in sizes) + " |")
print("|---|" + "---|" * len(sizes))
for way in ways:
    cells = [f"{median(px, way):,.0f} ({median(px, way) / median(px, 'bare loop'):.2f})" for px in sizes]
    print(f"| {way} | " + " | ".join(cells) + " |")
print()
for found in rounds:
    if "versions" in found:
        print(", ".join(f"{name} {version}" for name, version in found["versions"].items()))
        break
for found in rounds:
    if "prepared" in found:
        pairs, wall_s = found["prepared"]["pairs"], found["prepared"]["wall_s"]
        print(f"Preparing {pairs:,} pairs took {wall_s:.1f} s of wall time ({pairs / wall_s:,.0f} a second).")
opened = [found["opened"] for found in rounds if "opened" in found]
print(f"Opening {opened[0]['pairs']:,} pairs took {statistics.median(each['ms'] for each in opened):.0f} ms and "
      f"{statistics.median(each['mib'] for each in opened):.1f} MiB.")

print("\n| `tiny`, 32 px, batch 64 | epochs | data wait | peak memory |\n|---|---|---|---|")
for file in sorted(Path(sys.argv[1], "trained").glob("*/cells/*.json")):
    cell = json.loads(file.read_text())
    phases, memory = cell["cost"]["phase_s"], cell["cost"]["peak_memory_mib"]
    print(f"| {file.parts[-3]} | {len(cell['training']['epochs'])} | {100 * phases['train.data'] / phases['train']:.1f} % "
          f"of training | {memory:.0f} MiB |")
