"""Functions that the model may call."""

import anyio


async def get_time(city: str) -> str:
    """The time in a city.

    Args:
        city: the city's name.
    """
    await anyio.sleep(0.3)
    return f"noon in {city}"


async def get_weather(city: str) -> dict[str, str | int]:
    """The weather in a city.

    Args:
        city: the city's name.
    """
    await anyio.sleep(0.3)
    return {"city": city, "sky": "sunny", "high": 24}


async def order_taxi() -> str:
    """Orders a taxi, which takes a while."""
    await anyio.sleep(2)
    return "the taxi is here"


async def get_traffic() -> str:
    """The traffic, from a service that does not answer today."""
    await anyio.sleep(60)
    return "light"
