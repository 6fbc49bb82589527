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
ours = [found for found in rounds if "opened_ms" in found]
print(f"Opening took {statistics.median(found['opened_ms'] for found in ours):.0f} ms; at most "
      f"{max(found['peak_memory_mib'] for found in ours):.0f} MiB.")
