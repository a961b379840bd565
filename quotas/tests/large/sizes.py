"""How many there are of each, and which number is whose."""

# Units of each level, the top first; the n-th hangs below the n-th (modulo) of the level above.
LEVELS = (5, 25, 170, 1200, 3600)
UNITS = sum(LEVELS)
FIRST = tuple(sum(LEVELS[:level]) for level in range(len(LEVELS)))  # units before a level
# Each unit has a head, a group that its head lets decide little, a deputy of the head, and a
# specialist for one resource with a total: delegations 4u-3 to 4u of unit u.
DELEGATIONS = 4 * UNITS
GROUPS = 200
BUSY_GROUP = 1  # decides for every tenth unit
REGIONS, GIB = 5, 2**30
# Units from the third level on have a project each, and it a request with two open lines.
FIRST_WITH_PROJECT = FIRST[2] + 1
PROJECTS = UNITS - FIRST_WITH_PROJECT + 1
# The last project has something of every offering, others four each, in their own region.
WIDE = UNITS
OPEN_LINES = 10_000
DECIDED = 40_000
# What a head may grant at once, in steps, by level; None: anything.
HEADS = (None, 2000, 1000, 500, 200)
LITTLE = 10
AMOUNTS = (5, 50, 300)  # what lines ask for on top, in steps: for the group, the head, one above
