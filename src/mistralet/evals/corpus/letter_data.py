"""What the letters of the corpus say, in five languages: {name} marks what a question asks for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Letter:
    """A letter of two pages."""

    language: str
    subject: str
    first: tuple[str, ...]  # paragraphs of the first page
    second: tuple[str, ...]
    stated: dict[str, str]  # what stands in the place of a name
    questions: dict[str, str]  # by name


LETTERS = (
    Letter(
        "en",
        "Replacement of the heating system",
        (
            "Dear tenants,",
            "the heating system of the house at 14 Mill Lane is thirty years old. We shall have it replaced this autumn.",
            "The work begins on {day} and takes {weeks} weeks. In that time warm water comes from a boiler in the yard.",
            "Ms {person} of our office visits each flat beforehand, to look at the radiators.",
        ),
        (
            "The new system costs {cost} euros. A part of it is paid by the city, because the system needs less gas.",
            "Your rent stays as it is until the end of the year. After that it rises by {share} percent.",
            "Please remove furniture from the radiators. With kind regards, Northgate Housing",
        ),
        {"day": "6 October 2025", "weeks": "three", "person": "Hollis", "cost": "182,400", "share": "1.8"},
        {
            "day": "When does the work on the heating begin?",
            "person": "Who visits the flats?",
            "cost": "How many euros does the new system cost?",
            "share": "By how many percent does the rent rise?",
        },
    ),
    Letter(
        "de",
        "Erneuerung der Heizung",
        (
            "Sehr geehrte Mieterinnen und Mieter,",
            "die Heizung im Haus Mühlweg 14 ist dreißig Jahre alt. Wir lassen sie in diesem Herbst erneuern.",
            "Die Arbeiten beginnen am {day} und dauern {weeks} Wochen. In dieser Zeit kommt warmes Wasser aus einem Kessel "
            "im Hof.",
            "Frau {person} aus unserem Büro besucht vorher jede Wohnung und sieht sich die Heizkörper an.",
        ),
        (
            "Die neue Anlage kostet {cost} Euro. Einen Teil davon zahlt die Stadt, weil die Anlage weniger Gas braucht.",
            "Ihre Miete bleibt bis zum Ende des Jahres gleich. Danach steigt sie um {share} Prozent.",
            "Bitte rücken Sie Möbel von den Heizkörpern weg. Mit freundlichen Grüßen, Nordtor Wohnbau",
        ),
        {"day": "13. Oktober 2025", "weeks": "vier", "person": "Köhler", "cost": "164.900", "share": "2,1"},
        {
            "day": "Wann beginnen die Arbeiten an der Heizung?",
            "person": "Wer besucht die Wohnungen?",
            "cost": "Wie viele Euro kostet die neue Anlage?",
            "share": "Um wie viel Prozent steigt die Miete?",
        },
    ),
    Letter(
        "fr",
        "Remplacement du chauffage",
        (
            "Madame, Monsieur,",
            "le chauffage de l’immeuble du 14, rue du Moulin a trente ans. Nous le ferons remplacer cet automne.",
            "Les travaux commencent le {day} et durent {weeks} semaines. Pendant ce temps, l’eau chaude vient d’une "
            "chaudière placée dans la cour.",
            "Madame {person}, de notre bureau, passe auparavant dans chaque logement pour voir les radiateurs.",
        ),
        (
            "La nouvelle installation coûte {cost} euros. La ville en paie une partie, car elle consomme moins de gaz.",
            "Votre loyer reste le même jusqu’à la fin de l’année. Ensuite, il augmente de {share} pour cent.",
            "Merci d’éloigner les meubles des radiateurs. Cordialement, Habitat Porte du Nord",
        ),
        {"day": "20 octobre 2025", "weeks": "cinq", "person": "Lefèvre", "cost": "171 300", "share": "1,5"},
        {
            "day": "Quand commencent les travaux du chauffage ?",
            "person": "Qui passe dans les logements ?",
            "cost": "Combien d’euros coûte la nouvelle installation ?",
            "share": "De combien de pour cent le loyer augmente-t-il ?",
        },
    ),
    Letter(
        "es",
        "Renovación de la calefacción",
        (
            "Estimados inquilinos:",
            "la calefacción de la casa de la calle del Molino 14 tiene treinta años. La renovaremos este otoño.",
            "Las obras empiezan el {day} y duran {weeks} semanas. Mientras tanto, el agua caliente viene de una caldera en "
            "el patio.",
            "La señora {person}, de nuestra oficina, visita antes cada vivienda para ver los radiadores.",
        ),
        (
            "La nueva instalación cuesta {cost} euros. La ciudad paga una parte, porque consume menos gas.",
            "Su alquiler no cambia hasta el final del año. Después sube un {share} por ciento.",
            "Por favor, aparten los muebles de los radiadores. Un cordial saludo, Viviendas Puerta Norte",
        ),
        {"day": "27 de octubre de 2025", "weeks": "seis", "person": "Ibáñez", "cost": "158.700", "share": "2,4"},
        {
            "day": "¿Cuándo empiezan las obras de la calefacción?",
            "person": "¿Quién visita las viviendas?",
            "cost": "¿Cuántos euros cuesta la nueva instalación?",
            "share": "¿Cuánto por ciento sube el alquiler?",
        },
    ),
    Letter(
        "it",
        "Sostituzione del riscaldamento",
        (
            "Gentili inquilini,",
            "il riscaldamento della casa di via del Mulino 14 ha trent’anni. Quest’autunno lo faremo sostituire.",
            "I lavori cominciano il {day} e durano {weeks} settimane. Intanto l’acqua calda viene da una caldaia in cortile.",
            "La signora {person} del nostro ufficio visita prima ogni appartamento per vedere i termosifoni.",
        ),
        (
            "Il nuovo impianto costa {cost} euro. Una parte la paga la città, perché consuma meno gas.",
            "Il canone resta uguale fino alla fine dell’anno. Dopo aumenta del {share} per cento.",
            "Vi preghiamo di allontanare i mobili dai termosifoni. Cordiali saluti, Case Porta Nord",
        ),
        {"day": "3 novembre 2025", "weeks": "sette", "person": "Ferraris", "cost": "149.200", "share": "1,9"},
        {
            "day": "Quando cominciano i lavori al riscaldamento?",
            "person": "Chi visita gli appartamenti?",
            "cost": "Quanti euro costa il nuovo impianto?",
            "share": "Di quanto per cento aumenta il canone?",
        },
    ),
)
