#!/usr/bin/env python3
"""Makes Inter-Regular.ttf and Inter-SemiBold.ttf from the variable Inter-roman.var.ttf (https://rsms.me/inter).

Keeps Latin, Greek and Cyrillic, and makes the tabular digits the default ones, so that numbers line up everywhere:
text layout in egui has no switch for OpenType features.

    pip install fonttools && ./subset.py Inter-roman.var.ttf
"""

import sys

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from fontTools.varLib.instancer import instantiateVariableFont

RANGES = [
    (0x20, 0x24F),  # Latin
    (0x2B0, 0x36F),  # modifiers and combining marks
    (0x370, 0x52F),  # Greek, Cyrillic
    (0x1E00, 0x1EFF),  # Latin additional
    (0x2000, 0x206F),  # punctuation
    (0x2070, 0x20BF),  # super- and subscripts, currencies
    (0x2100, 0x214F),  # letter-like
    (0x2190, 0x21FF),  # arrows
    (0x2200, 0x22FF),  # mathematics
    (0x2300, 0x23FF),  # technical: command, option, return
    (0x25A0, 0x25FF),  # geometric
    (0x2713, 0x2717),  # check marks
]

for name, weight in [("Regular", 400), ("SemiBold", 600)]:
    font = instantiateVariableFont(TTFont(sys.argv[1]), {"wght": weight})
    tabular = {}
    for feature in font["GSUB"].table.FeatureList.FeatureRecord:
        if feature.FeatureTag == "tnum":
            for lookup in feature.Feature.LookupListIndex:
                for table in font["GSUB"].table.LookupList.Lookup[lookup].SubTable:
                    tabular.update(getattr(table, "ExtSubTable", table).mapping)
    for table in font["cmap"].tables:
        for code in map(ord, "0123456789"):
            if code in table.cmap:
                table.cmap[code] = tabular.get(table.cmap[code], table.cmap[code])
    options = Options(layout_features=["kern", "mark", "mkmk", "ccmp", "locl"], hinting=False, name_IDs=["*"])
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=[code for first, last in RANGES for code in range(first, last + 1)])
    subsetter.subset(font)
    font.save(f"Inter-{name}.ttf")
