"""Names and sentences that look like people's own: of real lengths, with accents, varied."""

from .numbers import mixed

GIVEN = (
    "Anna", "José", "Mārtiņš", "Zoë", "Łukasz", "Chloé", "Björn", "Fatima", "Giuseppe", "Ingrid",
    "Søren", "Beatriz", "Dimitrios", "Noémie", "Jürgen", "Katarzyna", "Tomáš", "Aoife", "Hiroshi",
    "Maximilian", "Élodie", "Nuria", "Ondřej", "Priya", "Rasmus", "Sofía", "Thérèse", "Wiktoria",
)  # fmt: skip
FAMILY = (
    "Müller", "García Márquez", "Dupont", "Kowalczyk", "Rossi", "Van der Berg", "Nowak",
    "Lindqvist", "O'Connor", "Papadopoulos", "Fernández", "Bērziņš", "Horváth",
    "Schäfer", "Lefèvre", "Novotný",
    "Andersen", "Ferreira da Silva", "Yamamoto", "Bianchi", "Hämäläinen", "Öztürk", "Petrović",
    "Chaudhary", "Brânzei", "Kristjánsdóttir", "Martin", "Weiß", "Zimmermann", "Ångström", "Roux",
)  # fmt: skip
FIELDS = (
    "Beam Instrumentation", "Cryogenics", "Detector Simulation", "Event Reconstruction",
    "Données publiques", "Medical Imaging", "Accelerator Controls", "Theoretical Physics",
    "Grid Operations", "Radioprotection", "Machine Learning", "Vacuum Systems", "Databases",
    "Électronique", "Magnet Tests", "Outreach and Éducation", "Safety Engineering", "Calorimetry",
)  # fmt: skip
PARTS = ("production", "analysis", "staging", "tests", "calibration", "archive", "monitoring")
NEEDS = (
    "The reprocessing of last year's data begins next week", "Our queue of jobs has doubled",
    "The new détecteur delivers twice as many events", "Two students join us in the autumn",
    "The nightly tests do not fit any more", "We move the service off old machines",
    "A workshop with forty participants is planned", "La campagne de simulation commence lundi",
    "The data base has grown faster than foreseen", "We want to keep a second replica",
    "Monitoring needs a longer history", "The load test of October showed too little head-room",
    "Le logiciel de reconstruction demande plus de mémoire", "The release candidate is validated",
)  # fmt: skip
WHYS = (
    "", ".", " and what we have is in use to more than 90 %.", "; the figures are in our wiki.",
    ", as agreed with the coordinator; we give it back once the campaign is over.",
    ". Without it users wait for several days, which the collaboration has asked us to avoid.",
    " : merci de nous dire si une partie suffirait déjà, nous pouvons étaler le travail.",
    ". We measured it over two weeks on the staging cluster: at the peak every node was at its "
    "limit and jobs were killed for want of memory, so that the shift crew started them by hand.",
    " until the hardware of the experiment arrives (delivery was moved to the spring).",
)  # fmt: skip
REMARKS = (
    "When is it needed?", "Is half of it enough for now?", "Merci, c'est noté.", "See the figures.",
    "We spoke about it yesterday: it is for the calibration of the outer barrel, very soon.",
    "Nothing speaks against it from our side; the zone has room enough until the end of the year.",
)  # fmt: skip


def person(number: int) -> str:
    chance = mixed(number)
    return f"{GIVEN[chance % len(GIVEN)]} {FAMILY[chance // 64 % len(FAMILY)]}"


def field(number: int) -> str:
    return FIELDS[mixed(number) % len(FIELDS)]


def part(number: int) -> str:
    return PARTS[mixed(number) // 16 % len(PARTS)]


def reason(chance: int) -> str:
    """20 to 300 characters."""
    return NEEDS[chance % len(NEEDS)] + WHYS[chance // 32 % len(WHYS)]


def remark(chance: int) -> str:
    return REMARKS[chance // 8 % len(REMARKS)]
