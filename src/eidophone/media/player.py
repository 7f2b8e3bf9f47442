"""A picture that plays, as one piece of HTML: for notebooks and reports."""

import base64
import html
import io
import tempfile
from pathlib import Path

from eidophone.core.values import Clip, Picture
from eidophone.media.audio import write_wav
from eidophone.media.picture import to_image

# the line moves with the sound: the browser reports the time about four times a second, so it glides
_PAGE = """<div style="display:inline-block;max-width:100%;font:14px sans-serif">
<div style="position:relative;line-height:0">
<img alt="{title}" src="data:image/png;base64,{png}" style="max-width:100%;image-rendering:auto">
<span style="position:absolute;top:0;bottom:0;left:0;width:2px;background:#e33;transition:left .25s linear"></span>
</div>
<audio controls preload="metadata" style="width:100%" src="data:audio/wav;base64,{wav}"
 ontimeupdate="this.parentElement.querySelector('span').style.left=(100*this.currentTime/this.duration)+'%'"></audio>
<div style="line-height:1.4">{title}</div>
</div>"""


def player_html(picture: Picture, clip: Clip, title: str) -> str:
    """The picture with a player under it and a line that moves over it; needs nothing else.

    Args:
        picture: What is shown.
        clip: What is played.
        title: Text below; escaped here.
    """
    png = io.BytesIO()
    to_image(picture).save(png, "PNG")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sound.wav"
        write_wav(path, clip)
        wav = path.read_bytes()
    return _PAGE.format(
        title=html.escape(title),
        png=base64.b64encode(png.getvalue()).decode(),
        wav=base64.b64encode(wav).decode(),
    )
