"""The font packages that the glyphs are rendered from: distribution, version, family -> files."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata

from fewshot_film.errors import UsageError


@dataclass(frozen=True)
class Carrier:
    """A distribution, the version that was used (None: any), and its font files by family."""

    distribution: str
    version: str | None
    folder: str
    files: tuple[tuple[str, str], ...]


def _family(name: str, version: str, *patterns: str) -> Carrier:
    """A fontpkg distribution holds one family; unless told otherwise it is one variable file."""
    slug = name.lower().replace(" ", "-")
    patterns = patterns or (name.replace(" ", "") + "[[]wght].ttf",)
    folder = "fontpkg_" + slug.replace("-", "_") + "/files"
    return Carrier(f"fontpkg-{slug}", version, folder, tuple((name, p) for p in patterns))


def _static(stem: str, *styles: str) -> tuple[str, ...]:
    return tuple(f"{stem}-{style}.ttf" for style in styles)


def _noto(region: str) -> Carrier:
    folder = f"justmytype_intl_{region.replace('-', '_')}/fonts/ofl"
    return Carrier(f"justmytype-intl-{region}", "0.1.0", folder, (("Noto Sans", "*/Noto*.ttf"),))


_NOTO_SANS = (
    "",
    *("Arabic", "Armenian", "Georgian", "Gujarati", "Gurmukhi", "Hebrew"),
    *("Kannada", "Malayalam", "Oriya", "Sinhala"),
)

_MATPLOTLIB = {
    "DejaVu Sans": ("", "-Bold", "-Oblique", "-BoldOblique"),
    "DejaVu Sans Mono": ("", "-Bold"),
    "DejaVu Serif": ("", "-Bold"),
    "STIX": ("General", "GeneralBol"),
}

# A face that two carriers hold is drawn from the first: these files have all weights and widths.
CARRIERS = (
    _noto("africa"),
    _noto("sea"),
    _noto("south-asia"),
    Carrier(
        "manimgx-fonts",
        "2026.9.26.post1",
        "manimgx_fonts",
        tuple(("Noto Sans", f"NotoSans{script}[[]wght].ttf") for script in _NOTO_SANS),
    ),
    Carrier(
        "matplotlib",
        None,
        "matplotlib/mpl-data/fonts/ttf",
        tuple(
            (family, f"{family.replace(' ', '')}{style}.ttf")
            for family, styles in _MATPLOTLIB.items()
            for style in styles
        ),
    ),
    Carrier("pylopdf-fonts-ar", "0.1.1", "pylopdf_fonts_ar", (("Noto Naskh Arabic", "NotoNa*"),)),
    Carrier("pylopdf-fonts-he", "0.1.1", "pylopdf_fonts_he", (("Noto Serif", "NotoSerif*"),)),
    Carrier("pylopdf-fonts-hi", "0.1.1", "pylopdf_fonts_hi", (("Noto Serif", "NotoSerif*"),)),
    Carrier("pylopdf-fonts-th", "0.1.1", "pylopdf_fonts_th", (("Noto Serif", "NotoSerif*"),)),
    Carrier(
        "pymupdf-fonts",
        "1.0.5",
        "pymupdf_fonts",
        (("FiraGO", "FiraGO_Regular.py"), ("FiraGO", "FiraGO_Bold.py")),
    ),
    _family("Amiri", "1.002", *_static("Amiri", "Regular", "Bold")),
    _family("Anek Telugu", "1.003", "AnekTelugu*.ttf"),
    _family("Baloo 2", "1.700"),
    _family("Cairo", "3.130", "Cairo*.ttf"),
    _family("Cardo", "1.045", *_static("Cardo", "Regular", "Bold")),
    _family("Catamaran", "2.000"),
    _family("Caveat", "2.0"),
    _family("Comfortaa", "3.105"),
    _family("EB Garamond", "1.3"),
    _family("Frank Ruhl Libre", "6.004"),
    _family("Heebo", "3.100"),
    _family("Hind Siliguri", "1.1", *_static("HindSiliguri", "Regular", "Bold", "Light")),
    _family("Kalam", "2.001", *_static("Kalam", "Regular", "Bold", "Light")),
    _family("Kanit", "2.0", *_static("Kanit", "Regular", "Bold", "Light", "Black")),
    _family("Mukta", "2.538", *_static("Mukta", "Regular", "Bold", "Light")),
    _family("Noto Kufi Arabic", "2.109"),
    _family("Noto Serif", "2.15", "NotoSerif[[]wdth,wght].ttf"),
    _family("Press Start 2P", "3.000", "PressStart2P-Regular.ttf"),
    _family("Prompt", "1.1", *_static("Prompt", "Regular", "Bold", "Light", "Black")),
    _family("Ramabhadra", "1.000", "Ramabhadra-Regular.ttf"),
    _family("Rubik", "2.300"),
    _family("Sarabun", "1.000", *_static("Sarabun", "Regular", "Bold", "Light", "ExtraBold")),
    _family("Tajawal", "1.700", *_static("Tajawal", "Regular", "Bold", "Light", "Black")),
)


def licence(family: str) -> str:
    return "Bitstream Vera" if family.startswith("DejaVu") else "OFL-1.1"


def check_installed() -> None:
    """Raise unless every carrier is installed in the version that the data set was made from."""
    for carrier in CARRIERS:
        try:
            found = metadata.version(carrier.distribution)
        except metadata.PackageNotFoundError:
            found = "none"
        if found == "none" or carrier.version not in (None, found):
            raise UsageError(
                f"glyphs are rendered from {carrier.distribution} {carrier.version or '(any)'}, "
                f"found {found}; install the 'fonts' extra: pip install '.[fonts]'"
            )
