"""The functions that the quickstart's model may call."""

from typing import TypedDict


class Forecast(TypedDict):
    """The weather in one place."""

    city: str
    day: str
    sky: str
    high: int
    low: int


FORECASTS = {"Lisbon": ("sunny", 24, 15), "Porto": ("cloudy", 19, 12)}


def get_weather(city: str, day: str = "today") -> Forecast:
    """The weather forecast for a city.

    Args:
        city: Name of the city, in English.
        day: The day or days, as the user put it.
    """
    if city not in FORECASTS:
        raise LookupError(f"no forecast for {city}")
    sky, high, low = FORECASTS[city]
    return {"city": city, "day": day, "sky": sky, "high": high, "low": low}
