"""Sound from an address."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from typing import Annotated

from msgspec import Meta

from pipeline import AudioFormat, AudioFrame, Source
from processors.audio.codecs import Encoding
from processors.audio.pcm import Channels, Rate
from processors.audio.sources.pace import Pace
from processors.audio.sources.pcm_reader import PcmReader, layout_of, read_blocks
from processors.audio.sources.remote import parse_address, read_address
from processors.threads import Followed, follow

PATIENCE_MS = 500


class StreamSource(Source):
    """Gives the sound that an address sends: the body of an HTTP response, or the binary messages
    of a websocket; a WAV, or samples without a header if `rate` is given.

    What is sent faster than it is taken waits at its sender.

    url: `http://`, `https://`, `ws://` or `wss://`; certificates are verified, redirects not
      followed.
    encoding: of samples without a header: 16-bit integers (`s16le`, also if left out), 32-bit
      floats (`f32le`), or G.711 `mulaw` or `alaw` as in telephony.
    rate: of samples without a header, in Hz.
    channels: of samples without a header; 1 if left out.
    headers: sent with the request, such as {Authorization: "Bearer ${TOKEN}"}.
    timeout_s: how long to wait for a connection, and for sound, in seconds.
    frame_ms: length of a frame in milliseconds; the last one may be shorter.
    realtime: true gives no frame before it would be heard, false each as it comes.
    """

    def __init__(
        self,
        url: Annotated[str, Meta(examples=["https://radio.example/talk.wav"])],
        encoding: Encoding | None = None,
        rate: Rate | None = None,
        channels: Channels | None = None,
        headers: dict[str, str] | None = None,
        timeout_s: Annotated[float, Meta(gt=0, le=3600)] = 30.0,
        frame_ms: Annotated[int, Meta(ge=1, le=1000)] = 20,
        realtime: bool = True,
    ) -> None:
        parse_address(url)
        self.url = url
        self.layout = layout_of(encoding, rate, channels, assumed="s16le")
        self.frame_ms = frame_ms
        self.realtime = realtime
        self._headers = headers or {}
        self._timeout_s = timeout_s
        self._chunks: Followed[bytes] | None = None

    def audio_out(self, incoming: AudioFormat) -> AudioFormat:
        return AudioFormat(*self.layout[1:]) if self.layout else AudioFormat()

    async def lifespan(self) -> AsyncIterator[None]:
        read = partial(read_address, self.url, self._headers, self._timeout_s)
        async with follow(read, "sound from an address") as self._chunks:
            yield

    async def frames(self) -> AsyncIterator[AudioFrame]:
        assert self._chunks is not None
        pace: Pace | None = None
        async with aclosing(
            read_blocks(self._chunks, PcmReader(self.layout), self.frame_ms)
        ) as blocks:
            async for samples, rate in blocks:
                pace = pace or Pace(
                    self.context,
                    rate,
                    realtime=self.realtime,
                    patience_ms=PATIENCE_MS if self.realtime else None,
                )
                yield await pace.frame(samples)
        if pace is not None:
            await pace.finish()
