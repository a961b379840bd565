"""What people asked for in the demo site, and what came of it: data only."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answer:
    """What somebody did with a request, `after` days later.

    verb: approve (as asked; `granted` trims: {offering: amount}), endorse (as asked), decline,
    return, answer, comment, withdraw.
    """

    after: float
    who: str
    verb: str
    text: str = ""
    granted: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """A request, `ago` days before today. Amounts with a sign change what is there then.

    until: in how many days, from today, it ends; a draft is never sent. by: who asked in the
    name of `who`.
    """

    ago: float
    who: str
    project: str
    wanted: dict[str, str]
    reason: str
    answers: tuple[Answer, ...] = ()
    until: int | None = None
    is_draft: bool = False
    all_or_nothing: bool = False
    by: str = ""


def _compute(zone: str, vcpu: str, ram: str, instances: str) -> dict[str, str]:
    return {f"{zone}.vcpu": vcpu, f"{zone}.ram": ram, f"{zone}.instances": instances}


def _storage(zone: str, space: str, volumes: str, snapshots: str = "") -> dict[str, str]:
    some = {f"{zone}.space": space, f"{zone}.volumes": volumes}
    return some | {f"{zone}.snapshots": snapshots} if snapshots else some


def _network(region: str, networks: str, floating_ips: str, balancers: str = "") -> dict[str, str]:
    zone = f"{region}.network"
    some = {
        f"{zone}.networks": networks, f"{zone}.routers": networks,
        f"{zone}.floating-ips": floating_ips, f"{zone}.security-groups": "20",
    }  # fmt: skip
    return some | {f"{zone}.load-balancers": balancers} if balancers else some


def _shares(zone: str, space: str, count: str) -> dict[str, str]:
    return {f"{zone}.share-space": space, f"{zone}.shares": count}


def _objects(region: str, space: str, buckets: str) -> dict[str, str]:
    return {f"{region}.objects.object-space": space, f"{region}.objects.buckets": buckets}


GVA, PRE = "geneva", "prevessin"
OPENING = "What the project had in the old system."


MORE = "Networks, shares and buckets are had here since today: what the project had before."


def _opening(
    ago: float, who: str, project: str, decider: str, *wanted: dict[str, str], why: str = OPENING
) -> Asked:
    together: dict[str, str] = {}
    for each in wanted:
        together |= each
    return Asked(ago, who, project, together, why, (Answer(0.3, decider, "approve"),))


# Everybody's first quota; Erin and the coordinators took it over from the old system.
OPENINGS = (
    _opening(
        114, "alice", "atlas-reco", "erin",
        _compute(f"{GVA}.compute-a", "128", "512GiB", "40"),
        _compute(f"{GVA}.compute-b", "192", "768GiB", "60"),
        _storage(f"{GVA}.storage-a", "4TiB", "60", "40"),
        _storage(f"{GVA}.storage-b", "2TiB", "20", "10"),
        _compute(f"{PRE}.compute-a", "128", "512GiB", "32"),
        _storage(f"{PRE}.storage-a", "2TiB", "24", "24"),
    ),
    _opening(
        113, "paolo", "atlas-sim", "erin",
        _compute(f"{GVA}.compute-b", "320", "1280GiB", "80"),
        _compute(f"{GVA}.compute-c", "128", "512GiB", "32"),
        _storage(f"{GVA}.storage-b", "4TiB", "40"),
        _compute(f"{PRE}.compute-b", "256", "1TiB", "64"),
        _storage(f"{PRE}.storage-a", "8TiB", "60"),
    ),
    _opening(
        112.5, "mei", "atlas-dq", "dana",
        _compute(f"{GVA}.compute-a", "48", "192GiB", "12"),
        _storage(f"{GVA}.storage-b", "2TiB", "20", "20"),
    ),
    _opening(
        112, "tom", "atlas-open", "dana",
        _compute(f"{GVA}.compute-a", "16", "64GiB", "8"),
        _storage(f"{GVA}.storage-a", "1TiB", "16"),
    ),
    _opening(
        111, "hugo", "atlas-daq-test", "dana",
        _compute(f"{GVA}.compute-c", "96", "384GiB", "24"),
        _storage(f"{GVA}.storage-c", "3TiB", "30"),
    ),
    _opening(
        110, "bob", "personal-bob", "dana",
        _compute(f"{GVA}.compute-a", "4", "16GiB", "4"),
        _storage(f"{GVA}.storage-a", "100GiB", "4"),
    ),
    _opening(
        109, "ines", "cms-prod", "hugo",
        _compute(f"{GVA}.compute-a", "256", "1TiB", "64"),
        _compute(f"{PRE}.compute-a", "256", "1TiB", "64"),
        _storage(f"{PRE}.storage-a", "10TiB", "100", "50"),
    ),
    _opening(
        108, "yara", "cms-ml", "hugo",
        _compute(f"{PRE}.compute-c", "64", "512GiB", "8"),
        _storage(f"{PRE}.storage-b", "2TiB", "16"),
    ),
    _opening(
        107, "priya", "lhcb-trigger", "erin",
        _compute(f"{PRE}.compute-b", "192", "384GiB", "96"),
        _storage(f"{PRE}.storage-c", "6TiB", "64", "32"),
    ),
    _opening(
        106, "sven", "it-monitoring", "jonas",
        _compute(f"{GVA}.compute-a", "200", "800GiB", "100"),
        _compute(f"{PRE}.compute-a", "200", "800GiB", "100"),
        _storage(f"{GVA}.storage-c", "16TiB", "120", "60"),
        _storage(f"{PRE}.storage-a", "8TiB", "60", "60"),
    ),
    _opening(
        105, "lena", "it-gitlab", "jonas",
        _compute(f"{GVA}.compute-b", "160", "640GiB", "40"),
        _storage(f"{GVA}.storage-a", "12TiB", "50", "50"),
    ),
    _opening(
        104, "nadia", "it-dbod", "jonas",
        _compute(f"{GVA}.compute-c", "240", "1920GiB", "120"),
        _compute(f"{PRE}.compute-b", "120", "960GiB", "60"),
        _storage(f"{GVA}.storage-b", "6TiB", "240", "240"),
    ),
)  # fmt: skip

# When the other services of the clouds came to Remit.
SERVICES = (
    _opening(
        92, "alice", "atlas-reco", "erin",
        _network(GVA, "4", "12", "2"), _shares(f"{GVA}.shares-a", "2TiB", "8"),
        _objects(GVA, "20TiB", "20"), _network(PRE, "2", "6"), _objects(PRE, "10TiB", "10"),
        why=MORE,
    ),
    _opening(
        91.5, "ines", "cms-prod", "hugo",
        _network(GVA, "4", "16"), _objects(GVA, "40TiB", "40"), _network(PRE, "4", "16", "4"),
        why=MORE,
    ),
    _opening(
        91, "sven", "it-monitoring", "jonas",
        _network(GVA, "6", "20", "8"), _shares(f"{GVA}.shares-b", "1TiB", "10"),
        _network(PRE, "6", "20", "8"), _objects(PRE, "30TiB", "12"), why=MORE,
    ),
    _opening(
        90.5, "lena", "it-gitlab", "jonas",
        _network(GVA, "3", "10", "6"), _shares(f"{GVA}.shares-a", "6TiB", "12"),
        _objects(GVA, "60TiB", "30"), why=MORE,
    ),
    _opening(
        90, "nadia", "it-dbod", "jonas",
        _network(GVA, "4", "8", "4"), {f"{GVA}.storage-b.fast": "1"}, why=MORE,
    ),
)  # fmt: skip

DECIDED = (
    Asked(
        58, "alice", "atlas-reco", _compute(f"{GVA}.compute-a", "+64", "+256GiB", "+16"),
        "Reprocessing of the 2025 data: the queue is four weeks long.",
        (Answer(0.2, "dana", "comment", "Does this replace the nodes in compute-b?"),
         Answer(0.4, "alice", "comment", "No, compute-b keeps the calibration."),
         Answer(1.1, "dana", "approve", "As discussed in the coordination meeting.")),
    ),
    Asked(
        51, "ines", "cms-prod", _compute(f"{GVA}.compute-b", "512", "2TiB", "128"),
        "A second production line.",
        (Answer(2, "hugo", "approve", "Half of it now; ask again when it is in use.",
                {f"{GVA}.compute-b.vcpu": "256", f"{GVA}.compute-b.ram": "1TiB",
                 f"{GVA}.compute-b.instances": "64"}),),
    ),
    Asked(
        47, "tom", "atlas-open", _compute(f"{GVA}.compute-b", "128", "512GiB", "64"),
        "One node for each participant of the summer school.",
        (Answer(0.8, "dana", "decline",
                "The school shares the notebooks service; 16 vCPU there are yours."),),
    ),
    Asked(
        36, "jonas", "atlas-daq-test", {f"{GVA}.compute-c.vcpu": "+32"},
        "Readout test with the new firmware.",
        (Answer(1, "dana", "return", "For how long? A loan would be easier."),
         Answer(1.5, "jonas", "answer", "Until the end of the quarter; a loan is fine."),
         Answer(3, "jonas", "withdraw")),
    ),
    Asked(
        33, "alice", "atlas-reco", _compute(f"{GVA}.compute-c", "64", "256GiB", "16"),
        "Validation of the new geometry, before the conference.",
        (Answer(0.5, "dana", "approve"),), until=24,
    ),
    Asked(
        29, "nadia", "it-dbod", _storage(f"{GVA}.storage-b", "+2TiB", "+40"),
        "Forty databases of the administration move here.",
        (Answer(1.2, "jonas", "approve"),),
    ),
    Asked(
        27, "yara", "cms-ml", {f"{PRE}.compute-c.gpu": "1"} | _objects(PRE, "8TiB", "6"),
        "Training on GPUs, with its samples in buckets.",
        (Answer(0.9, "hugo", "approve", "You are the first; tell us how it goes."),),
    ),
    Asked(
        24, "yara", "cms-ml", _compute(f"{PRE}.compute-c", "128", "1TiB", "16"),
        "Training needs the memory more than the cores.",
        (Answer(0.6, "hugo", "approve"),), all_or_nothing=True,
    ),
    Asked(
        19, "paolo", "atlas-sim", _compute(f"{PRE}.compute-b", "+96", "+384GiB", "+24"),
        "Full simulation, wave 3.",
        (Answer(0.3, "dana", "approve"),),
    ),
    Asked(
        14, "priya", "lhcb-trigger", _storage(f"{PRE}.storage-b", "1TiB", "8"),
        "Faster disks for the nightly builds.",
        (Answer(2.5, "erin", "approve"),),
    ),
    Asked(
        9, "sven", "it-monitoring", {f"{PRE}.storage-a.space": "+4TiB"},
        "Metrics are kept for two years now.",
        (Answer(0.7, "jonas", "approve"),),
    ),
    Asked(
        6, "alice", "atlas-reco", {f"{GVA}.storage-a.space": "+1TiB"},
        "Skims of the last run.",
        (Answer(0.4, "dana", "approve"),),
    ),
    # It is not applied: more than that is still in use.
    Asked(
        4.8, "lena", "it-gitlab", _storage(f"{GVA}.storage-a", "9TiB", "40"),
        "Old artifacts are being deleted; we give 3 TiB back.",
        (Answer(0.1, "jonas", "approve", "Thank you."),),
    ),
)  # fmt: skip

OPEN = (
    # Nobody answers for more than five working days, so that it goes up.
    Asked(
        9.2, "ines", "cms-prod", _storage(f"{PRE}.storage-a", "+5TiB", "+50"),
        "Output of the second production line.",
    ),
    Asked(
        4.2, "alice", "atlas-sim", _storage(f"{GVA}.storage-c", "6TiB", "40"),
        "Shared input samples for simulation and reconstruction.",
        (Answer(1, "dana", "return", "Half of this lies in storage-b already. Can it go there?"),),
    ),
    Asked(
        3.1, "paolo", "atlas-sim", _compute(f"{GVA}.compute-b", "+96", "+384GiB", "+24"),
        "Full simulation, wave 4.",
    ),
    Asked(
        2.3, "mei", "atlas-dq", _storage(f"{GVA}.storage-b", "5TiB", "30"),
        "Histograms of every run, for the whole year.",
        (Answer(0.5, "mei", "comment", "It can start with less, if that is easier."),),
    ),
    Asked(
        2.1, "jonas", "atlas-daq-test",
        {f"{GVA}.compute-c.gpu": "1"} | _shares(f"{GVA}.shares-b", "500GiB", "4"),
        "The trigger is tried on GPUs next month.",
    ),
    Asked(
        1.9, "paolo", "atlas-sim", {f"{PRE}.compute-a.vcpu": "384", f"{PRE}.compute-a.ram": "1TiB"},
        "A campaign of three weeks for the upgrade studies.", until=40,
    ),
    # More than Dana may grant: she recommends it, and Erin decides.
    Asked(
        1.4, "mei", "atlas-dq",
        {f"{GVA}.compute-c.vcpu": "+160", f"{GVA}.compute-c.ram": "+640GiB"},
        "New quality flags for all of last year, before the winter conferences.",
        (Answer(0.3, "dana", "endorse", "We agreed on it in the group; it cannot wait."),),
    ),
    Asked(
        0.9, "bob", "personal-bob", {f"{GVA}.compute-a.vcpu": "8", f"{GVA}.compute-a.ram": "32GiB"},
        "My notebook runs out of memory.",
    ),
    Asked(
        0.7, "hugo", "atlas-daq-test", _compute(f"{GVA}.compute-c", "+64", "+256GiB", "+16"),
        "All nodes of the readout at once.", all_or_nothing=True,
    ),
    Asked(
        0.6, "nadia", "it-dbod", _compute(f"{PRE}.compute-b", "+24", "+192GiB", "+12"),
        "Asked on the telephone: twelve databases for the library.", by="hilda",
    ),
    Asked(
        0.4, "lena", "it-gitlab", _compute(f"{PRE}.compute-a", "80", "320GiB", "20"),
        "A spare in the other region.",
    ),
    Asked(
        0.03, "tom", "atlas-open",
        {f"{GVA}.compute-a.vcpu": "+16", f"{GVA}.storage-a.space": "+200GiB"},
        "Open data tutorial for schools.", until=13,
    ),
    Asked(
        0.2, "alice", "atlas-reco",
        {f"{PRE}.compute-a.vcpu": "+32", f"{PRE}.compute-a.ram": "+128GiB"},
        "Draft: perhaps half of it is enough.", is_draft=True,
    ),
)  # fmt: skip

# After the rules were made: this one is granted by one of them, at once.
BY_RULE = (
    Asked(
        0.02, "priya", "lhcb-trigger", {f"{PRE}.storage-b.space": "-256GiB"},
        "The old samples are gone.",
    ),
)  # fmt: skip
EVERYTHING = (*OPENINGS, *SERVICES, *DECIDED, *OPEN)
