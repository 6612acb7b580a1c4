"""How are bodies read, so that all of them together fit into the memory that they may take?"""

from starlette.requests import Request

from collector.web.bodies import receive
from collector.web.budget import Share


async def body_of(request: Request, most: int, share: Share) -> bytes:
    """The inflated body, which may have *most* bytes; they are counted in *share* from the first one on."""
    coding = request.headers.get("content-encoding", "")
    async with share.arriving():
        body = await receive(request.stream(), coding, most, count=share.grow)
    share.settle(len(body))
    return body
