"""script -> split, and the typeface families that training never sees."""

from __future__ import annotations

# Scripts that descend from one another, or whose letters look alike, stand on one side: Latin with
# Greek, Cyrillic and their kin; Devanagari with the northern Indian scripts; Telugu with Kannada;
# Thai with Lao. Validation mirrors test: alphabets drawn in many families beside abugidas drawn in
# one. Scripts with fewer than four upright faces are trained on.
SCRIPTS_OF_SPLIT = {
    "train": (
        *("Latn", "Grek", "Cyrl", "Copt", "Ital", "Lisu", "Ogam", "Tfng", "Nkoo", "Cans"),
        *("Arab", "Ethi", "Deva", "Beng", "Gujr", "Guru", "Orya"),
    ),
    "val": ("Armn", "Geor", "Khmr", "Sinh"),
    "test": ("Hebr", "Thai", "Laoo", "Taml", "Telu", "Knda", "Mlym", "Mymr"),
}
SPLIT_OF_SCRIPT = {
    script: split for split, scripts in SCRIPTS_OF_SPLIT.items() for script in scripts
}

# An image of one of these asks for a new typeface as well as a new character. Each covers scripts
# of val or test that some seen family covers too.
UNSEEN_FAMILIES = (
    "Anek Telugu",
    "Catamaran",
    "DejaVu Sans Mono",
    "DejaVu Serif",
    "FiraGO",
    "Frank Ruhl Libre",
    "Sarabun",
)
