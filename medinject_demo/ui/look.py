"""How the page looks and what its keys do: the arguments of ``Blocks.launch`` for theme, style sheet and script."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import gradio as gr

ASSETS: Final = Path(__file__).parent / "assets"


def look() -> dict[str, Any]:
    """Arguments for ``launch``. System fonts alone: the page loads nothing from elsewhere."""
    script = "\n".join(path.read_text(encoding="utf-8") for path in sorted(ASSETS.glob("*.js")))
    return {
        "theme": theme(),
        "css_paths": sorted(ASSETS.glob("*.css")),
        "head": f"<script>{script}</script>",
        "footer_links": ["api", "settings"],
        "ssr_mode": False,
    }


def theme() -> gr.themes.Base:
    """Teal on slate grey, with contrasts of at least 4.5 to 1 for text and 3 to 1 for boxes, in light and dark."""
    return gr.themes.Default(
        primary_hue="teal",
        neutral_hue="slate",
        font=["ui-sans-serif", "system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    ).set(
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_800",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        block_label_text_color="*neutral_700",
        block_label_text_color_dark="*neutral_200",
        block_title_text_color="*neutral_800",
        block_title_text_color_dark="*neutral_100",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        checkbox_border_color="*neutral_500",
        checkbox_border_color_dark="*neutral_400",
        checkbox_border_color_selected="*primary_700",
        checkbox_border_color_selected_dark="*primary_500",
        checkbox_background_color_selected="*primary_700",
        checkbox_background_color_selected_dark="*primary_600",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
    )
