"""English words that the rules treat alike, whoever says them."""

_STOP_WORDS = """
    a an the this that these those is are was were be been am do does did done has have had can
    could will would shall should may might must i you he she it we they me him her us them my
    your his its our their of in on at to for from with by about into as and or but not no yes if
    so than then there here what who whom which where when how why please just like some any all
    very really also too up down out off over again s t let tell me know want need hey hi hello
    ok okay now right
"""
_STARTERS = """
    get set turn switch play show tell what who where when how why which is are can could will
    would please find search look book send call open close start stop add create make give
    compute calculate write run use remind schedule check read list convert translate i dim
    google generate execute meet ask email invite text visit
"""
_NOT_NAMES = """
    i am pm ok please gemini google live api python search tv led celsius fahrenheit
    monday tuesday wednesday thursday friday saturday sunday
    january february march april may june july august september october november december
    jan feb mar apr jun jul aug sep oct nov dec
"""
_ONES = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
    sixteen seventeen eighteen nineteen
"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"

STOP_WORDS = frozenset(_STOP_WORDS.split())
"""Words that carry no meaning of their own."""
STARTERS = frozenset(_STARTERS.split())
"""Words that a new request begins with."""
NOT_NAMES = frozenset(_NOT_NAMES.split())
"""Words that are capitalised without being anybody's or any place's name."""
CONNECTORS = frozenset(("de", "of", "du", "da", "del", "la", "van", "von", "der", "upon"))
"""Words inside a name."""
ALIKE = {
    "reminder": "remind",
    "reservation": "reserve",
    "translation": "translate",
    "conversion": "convert",
    "delivery": "deliver",
    "calculator": "calculate",
}
"""Nouns that ask for what their verbs ask for."""
ONES = dict(zip(_ONES.split(), range(20), strict=True))
TENS = dict(zip(_TENS.split(), range(20, 100, 10), strict=True))
