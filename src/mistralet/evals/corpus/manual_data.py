"""What the manual's pages are made of: the parts of an invented machine, and sentences about them."""

from __future__ import annotations

# A part, what an owner calls it who asks, and where it sits.
PARTS: tuple[tuple[str, str, str], ...] = (
    ("feed pump", "pump that brings the water in", "behind the left side panel"),
    ("steam boiler", "boiler for steam", "in the upper rear of the frame"),
    ("brew boiler", "boiler for brewing", "above the group head"),
    ("burr grinder", "grinder", "below the bean hopper"),
    ("bean hopper", "container for the beans", "on top of the machine"),
    ("milk cooler", "fridge for the milk", "to the right of the dispenser"),
    ("frothing lance", "lance that froths milk", "beside the dispenser"),
    ("touch panel", "screen", "in the front door"),
    ("waste drawer", "drawer for used coffee grounds", "under the brewing unit"),
    ("drip tray", "tray that catches drops", "at the lower front"),
    ("water softener", "filter that softens the water", "next to the mains inlet"),
    ("mains inlet valve", "valve at the water supply", "at the rear wall"),
    ("flow meter", "meter that counts the water", "between pump and boilers"),
    ("pressure sensor", "sensor of the pressure", "on the manifold"),
    ("group head", "head from which coffee flows", "above the cup stand"),
    ("cup warmer", "plate that warms cups", "on the roof of the machine"),
    ("coin acceptor", "slot for coins", "in the payment module"),
    ("card reader", "reader for payment cards", "in the payment module"),
    ("power supply", "unit that supplies electricity", "at the bottom of the frame"),
    ("main board", "circuit board in control", "behind the touch panel"),
    ("cooling fan", "fan", "in the rear cover"),
    ("door lock", "lock of the front door", "on the inner edge of the door"),
    ("dispensing motor", "motor that moves the outlet", "over the cup stand"),
    ("drain hose", "hose that carries waste water away", "below the drip tray"),
    ("safety valve", "valve that opens on overpressure", "on top of the steam boiler"),
    ("heating element", "element that heats", "inside the brew boiler"),
    ("telemetry modem", "modem that reports to the service", "beside the main board"),
    ("cup sensor", "sensor that sees the cup", "behind the cup stand"),
    ("powder mixer", "mixer for chocolate powder", "left of the group head"),
    ("cleaning cartridge", "cartridge with detergent", "in the lower compartment"),
)
# The five pages of a part: heading, sentences with facts, and how one of them is asked for.
# {part} and {alias} are its names, {place} where it sits, {n} a number, {code} a code.
PAGES: tuple[tuple[str, tuple[str, ...], tuple[str, str]], ...] = (
    (
        "Description",
        (
            "The {part} sits {place} and carries the order number {code}.",
            "It weighs {kg} kg and withstands surroundings from 5 to {warm} degrees.",
            "In normal use it draws {watt} watts.",
        ),
        ("What is the order number of the {alias}?", "code"),
    ),
    (
        "Installation",
        (
            "Fasten the {part} with {screws} screws and a torque of {torque} Nm.",
            "Leave a gap of {gap} mm on each side, so that warm air can rise.",
            "After installation, wait {minutes} minutes before the first start.",
        ),
        ("How tightly must the screws of the {alias} be turned?", "torque"),
    ),
    (
        "Settings",
        (
            "The {part} is set in menu {menu} of the service level.",
            "Its factory value is {value}, and values above {top} are refused.",
            "A change takes effect after {seconds} seconds without a further touch.",
        ),
        ("Under which menu can the technician adjust the {alias}?", "menu"),
    ),
    (
        "Care",
        (
            "Clean the {part} every {days} days with the brush that came with the machine.",
            "Replace its seal after {cycles} drinks, whether it leaks or not.",
            "Use no more than {ml} ml of cleaning fluid.",
        ),
        ("After how many drinks does the seal of the {alias} need to be changed?", "cycles"),
    ),
    (
        "Faults",
        (
            "If the {part} fails, the display shows {error} and the machine stops after the running drink.",
            "Switch the machine off, wait {pause} seconds, and look at plug {plug}.",
            "If the message returns within {hours} hours, call the service and name the code.",
        ),
        ("Which message appears when the {alias} breaks down?", "error"),
    ),
)
GENERAL: tuple[str, ...] = (
    "Only trained persons may open the rear cover.",
    "Hot surfaces stay hot for a while after the machine was switched off.",
    "Never spray water at the machine, and never lower it into water.",
    "Write each repair into the log at the back of this manual.",
    "Spare parts that are not the maker's own end the warranty.",
    "Keep children away while the front door is open.",
    "The pictures show the model with two hoppers; yours may differ in small ways.",
    "Tools that are needed are listed at the end of the chapter.",
    "When in doubt, leave the part as it is and call the service.",
    "A machine that was moved in the cold must stand for a night before it is used.",
    "Read the whole page before you begin with the first step.",
    "Check that nothing was left inside before you close the cover.",
)
DETAILS: tuple[str, ...] = (
    "The cable runs through the clip on the frame, so that no moving part can touch it.",
    "A small label shows the month and year in which the part was made.",
    "Hold the part with one hand while the other loosens the clamps, since it may drop.",
    "Two marks on the housing must face each other; otherwise the cover does not close.",
    "The sound it makes is even and low; a rattle points to a loose clamp.",
    "Wipe off lime with a soft cloth, and never scrape with metal.",
    "The seal is black and soft; one that is grey or hard has served its time.",
    "Note the position of each plug before you pull it, or take a photograph.",
    "Its state is part of the morning check, and is shown in green, yellow or red.",
    "Where the water is hard, halve all intervals that concern lime.",
    "Nothing on it needs oil or grease; both spoil the taste of drinks.",
    "The part is tested for half a million drinks under full load.",
    "Should the clamps be stiff, warm them with a hand and try again after a moment.",
    "After work on it the machine rinses itself once, which uses about a litre of water.",
    "Older series have a round housing, newer ones an angular one; both fit.",
    "Its readings are kept for ninety days and can be printed from the service menu.",
)
