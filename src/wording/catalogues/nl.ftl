# Wat patiënten lezen. Wat ontbreekt, staat er in het Engels.

brand = Uw beelden
language = Taal
help-title = Vragen?
help-text = { $facility } helpt u graag.
help-contact = Contact: { $contact }

landing-title = Uw beelden openen
landing-lead = Vul in wat u van de afdeling radiologie hebt gekregen. Daarna ziet u uw beelden.
code-label = Code
code-hint = Als u er een hebt gekregen: 8 letters en cijfers, bijvoorbeeld op een briefje.
birth-label = Geboortedatum
birth-hint = Bijvoorbeeld { $example }
day = Dag
month = Maand
year = Jaar
open = Mijn beelden tonen
no-payment = Wij vragen nooit om een wachtwoord of om geld.

error-summary = Controleer wat u hebt ingevuld
error-nothing = Vul de code in, of de geboortedatum, of allebei.
error-code-missing = Vul ook de code in die u hebt gekregen.
error-code-mistyped = In deze code zit een typefout. Vergelijk hem met uw briefje: 8 letters en cijfers.
error-birth-missing = Vul ook uw geboortedatum in.
error-birth-invalid = Deze dag bestaat niet. Vul dag, maand en een jaar van vier cijfers in.
error-mismatch = { $left ->
    [0] De gegevens komen niet overeen.
    [one] De gegevens komen niet overeen. U hebt nog 1 poging.
   *[other] De gegevens komen niet overeen. U hebt nog { $left } pogingen.
}

wait-title = Een ogenblik geduld
wait-text = Meerdere pogingen klopten niet. Om uw beelden te beschermen pauzeert deze link even.
wait-until = U kunt het over { $time } opnieuw proberen.
locked-title = Deze link is geblokkeerd
locked-text = Te veel pogingen klopten niet. Om uw beelden te beschermen kan deze link niet meer worden gebruikt. Vraag om een nieuwe.
ended-title = Deze link is niet meer geldig
ended-text = Hij is misschien verlopen of vervangen. Controleer of u het nieuwste bericht hebt geopend, of vraag om een nieuwe link.
session-title = Open uw link opnieuw
session-text = Voor uw veiligheid wordt u na enige tijd afgemeld. Uw beelden zijn er nog.

time-seconds = { $count ->
    [one] 1 seconde
   *[other] { $count } seconden
}
time-minutes = { $count ->
    [one] 1 minuut
   *[other] { $count } minuten
}
time-hours = { $count ->
    [one] 1 uur
   *[other] { $count } uur
}
time-days = { $count ->
    [one] 1 dag
   *[other] { $count } dagen
}

my-title = Uw beelden
my-for = Voor { $initials }, geboren in { $year }
my-until = U kunt deze link openen tot { $date }.
download = Mijn beelden downloaden
download-size = { $size }, ongeveer { $time }
download-about = Eén ZIP-bestand met alles in volledige kwaliteit. Bewaar het of geef het aan een arts.
download-resume = Als de verbinding wegvalt, kan uw browser verdergaan waar hij was.
previews = Deze kleine beelden zijn een voorbeeld en niet bedoeld voor een diagnose.
sign-out = Afmelden
pictures = { $count ->
    [one] 1 beeld
   *[other] { $count } beelden
}
series-count = { $count ->
    [one] 1 serie
   *[other] { $count } series
}
modality-CR = Röntgenfoto
modality-CT = CT-scan
modality-DX = Röntgenfoto
modality-MG = Mammografie
modality-MR = MRI-scan
modality-US = Echografie
modality-other = Onderzoek
