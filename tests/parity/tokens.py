#!/usr/bin/env python3
"""Captions of all kinds and the token ids that open_clip gives them. Needs open_clip_torch 3.3.0 (and its ftfy, regex).

    tests/parity/tokens.py --out captions.json    # {"captions": [...], "cleaned": [...], "ids": [[...], ...]}
"""
import argparse
import html.entities
import json
import pathlib
import random
import unicodedata

CONTEXT_LENGTH = 77
WORDS = """a an the photo picture of in on with dog cat red blue tall tiny street market old woman's don't it's
we'll they've I'm you're he'd can't running close-up black-and-white 4k state-of-the-art vector e.g. (detail) New
York U.S.A. skateboarder chrysanthemum wheelbarrow Antidisestablishmentarianism http://example.com/a?b=c&d=e @user
#tag 50% $3.99 1990s 3D mp3 stock-photo "quoted" 'single' ... !!! ?! -- / \\ | ~ ^ _ * + = [x] {y} <b> </b> <3 :-)
O'Brien 'S 'Tis""".split()
# First and last character of pieces of scripts; only what Unicode 3.2 had is used, which every newer version has, too.
SCRIPTS = [(0xC0, 0x24F), (0x250, 0x2FF), (0x370, 0x3FF), (0x400, 0x52F), (0x531, 0x587), (0x5D0, 0x5F4),
           (0x600, 0x6FF), (0x710, 0x74A), (0x780, 0x7B1), (0x901, 0x97F), (0x981, 0x9FA), (0xA02, 0xA74),
           (0xB82, 0xBF2), (0xC01, 0xC6F), (0xD02, 0xD6F), (0xD82, 0xDF4), (0xE01, 0xE5B), (0xE81, 0xEDD),
           (0xF00, 0xFCF), (0x1000, 0x1059), (0x10A0, 0x10FB), (0x1100, 0x11F9), (0x1200, 0x137C), (0x13A0, 0x13F4),
           (0x1401, 0x1676), (0x16A0, 0x16F0), (0x1780, 0x17E9), (0x1820, 0x18A9), (0x1E00, 0x1EF9), (0x1F00, 0x1FFE),
           (0x2070, 0x20B1), (0x2100, 0x218F), (0x2190, 0x23CE), (0x2460, 0x24EA), (0x2500, 0x27BE), (0x3041, 0x30FF),
           (0x3105, 0x318E), (0x4E00, 0x9FA5), (0xA000, 0xA48C), (0xAC00, 0xD7A3), (0xF900, 0xFA6A),
           (0xFB1D, 0xFDFC), (0x10300, 0x1034A), (0x10400, 0x1044D), (0x1D400, 0x1D7FF), (0x20000, 0x2A6D6)]
EMOJI = ("😀 😂 🥺 🤖 👍 👍🏽 👩‍💻 👨‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 🇯🇵🇺🇸 1️⃣ #️⃣ ❤️ ☀ ☂️ ✈︎ 🧑🏿‍🚀 🦄 🍕 "
         "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f "
         "Ⓜ️ ㊗️ 🅰️ 🆎 🔟 ©️ ™").split(" ")
LIGATURES = [chr(c) for c in (0x132, 0x133, 0x149, *range(0x1C4, 0x1CD), *range(0x1F1, 0x1F4), *range(0xFB00, 0xFB07))]
QUOTES = [chr(c) for c in (0x2BC, 0x22, 0x27, 0x60, 0xAB, 0xBB, *range(0x2018, 0x2020), 0x2039, 0x203A, 0x300C, 0x300D)]
CONTROLS = ["\0", "\7", "\b", "\v", "\x1b", "\x1b[31m", "\x1b[0;1m", "\x1b[", "\x1b[3", "\x1b[٣m", "\x1c", "\x1f",
            "\x7f", "\r", "\r\n", "\n", "\t", "\f", "\u2028", "\u2029", "\xa0", "\xad", "\u1680", "\u2003", "\u3000",
            "\u200b", "\u200c", "\u200d", "\u200e", "\u202e", "\u206a", "\ufeff", "\ufff9", "\ufffc", "\ufffd",
            *map(chr, range(0x80, 0xA0))]
SPECIAL = ["<start_of_text>", "<end_of_text>", "<START_OF_TEXT>", "<\u017ftart_of_text>", "<<end_of_text>>",
           "<|startoftext|>", "'\u017f", "'S", "'LL", "\u212a", "\u0130", "\u0131", "\u0345", "\u1e9e", "\u03a3",
           "ΟΔΟΣ", "ΟΔΟΣ.", "Σ", "aΣ:b", "aΣ'", "\u0345Σ", "ªΣ", "ⓐΣ", "Σ\u0301", "A\u0301Σ\u0301.", "AΣ\u200dB"]
ENTITIES = sorted(html.entities.html5)


def known(first, last):
    """Characters that Unicode 3.2 had, without surrogates and those for private use."""
    return [chr(c) for c in range(first, last + 1) if unicodedata.ucd_3_2_0.category(chr(c)) not in ("Cn", "Cs", "Co")]


def entity(draw, everything):
    name = draw.choice(ENTITIES)
    number = draw.choice([draw.randrange(0x100), ord(draw.choice(everything)), draw.choice(
        (0xD800, 0xDFFF, 0xFDD0, 0xFFFE, 0x1FFFF, 0x10FFFF, 0x110000, 2**32, 2**64 + 65))])
    return "&" + draw.choice([
        name, name.upper(), name.lower(), name[:-1], name + "x", name + name, "amp;" + name, "amp;amp;" + name,
        f"#{number};", f"#x{number:x};", f"#X{number:X}", f"#{number:09d};", "#;", "#x;", "#1f600;", "#38;", "#59;",
        "", ";", " amp;", "amp;lt;b&amp;gt;", "amp", "LT;", "GT", "nbsp;", "eacute;", "EACUTE;", "szlig;", "SZLIG;",
        "#39;", "rsquo;", "hellip;", "unknown;", "CounterClockwiseContourIntegral;", "lt", "#x27;"])


def pieces(draw, scripts, marks, everything):
    """One function a kind of text; each makes a word or so."""
    script = draw.choice(scripts)
    return {
        "ascii": lambda: draw.choice(WORDS),
        "letters": lambda: "".join(chr(draw.randrange(33, 127)) for _ in range(draw.randrange(1, 12))),
        "script": lambda: "".join(draw.choices(script, k=draw.randrange(1, 9))),
        "emoji": lambda: "".join(draw.choices(EMOJI, k=draw.randrange(1, 4))),
        "marks": lambda: "".join(draw.choice("aeiouAEIOUnycsαωΑΩΙвЕאक가ᄀ") + "".join(
            draw.choices(marks, k=draw.randrange(0, 4))) for _ in range(draw.randrange(1, 6))),
        "html": lambda: draw.choice(["", "x", "R"]) + entity(draw, everything) + draw.choice(["", "", ";", "y", "\n"]),
        "quotes": lambda: draw.choice(QUOTES) + draw.choice(WORDS) + draw.choice(QUOTES),
        "ligatures": lambda: draw.choice(["", "a", "O"]) + draw.choice(LIGATURES) + draw.choice(["", "x", "Ve"]),
        "width": lambda: "".join(chr(draw.randrange(0xFF01, 0xFFEF)) for _ in range(draw.randrange(1, 7))),
        "controls": lambda: draw.choice(["", "a", "T"]) + draw.choice(CONTROLS) + draw.choice(["", "b", "é"]),
        "special": lambda: draw.choice(SPECIAL),
        "anything": lambda: "".join(draw.choices(everything, k=draw.randrange(1, 6))),
    }


def is_repaired(text):
    """Whether ftfy takes the text for wrongly decoded, which the program does not repair."""
    import ftfy
    return ftfy.fix_text(text) != ftfy.fix_text(text, fix_encoding=False)


def make_captions(count=10_000, seed=7):
    """The same on every machine: of one kind, of all kinds, very long, empty."""
    draw = random.Random(seed)
    scripts = [known(*script) for script in SCRIPTS]
    everything = known(0, 0x1FFFF)
    marks = [c for c in everything if unicodedata.combining(c)] + ["\u0301", "\u0308", "\u0327", "\u0323"] * 40
    captions = ["", " ", "\n\t ", "\u3000", "\ufeff", "a" * 3000, "Donaudampfschifffahrt" * 100, "é" * 500, "!" * 1000]
    while len(captions) < count:
        kinds = pieces(draw, scripts, marks, everything)
        chosen = draw.choice([[draw.choice(list(kinds))], draw.sample(sorted(kinds), 3), ["ascii"], list(kinds)])
        length = draw.randrange(100, 400) if draw.random() < 0.01 else draw.randrange(0, 20)
        gap = draw.choice([" ", " ", " ", "", "  "])
        caption = gap.join(kinds[draw.choice(chosen)]() for _ in range(length))
        if not is_repaired(caption):
            captions.append(caption)
    return captions


def cleaned(captions):
    import open_clip.tokenizer
    clean = open_clip.tokenizer.get_clean_fn("lower")
    return [clean(caption) for caption in captions]


def token_ids(captions):
    """One row of CONTEXT_LENGTH ids a caption: start, tokens, end, zeros."""
    import open_clip.tokenizer
    return open_clip.tokenizer.SimpleTokenizer()(captions, CONTEXT_LENGTH).tolist()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000, help="captions")
    parser.add_argument("--seed", type=int, default=7, help="of the captions")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="JSON file to write")
    arguments = parser.parse_args()
    captions = make_captions(arguments.count, arguments.seed)
    result = {"captions": captions, "cleaned": cleaned(captions), "ids": token_ids(captions)}
    arguments.out.write_text(json.dumps(result))


if __name__ == "__main__":
    main()
