# Ciò che leggono le pazienti e i pazienti. Ciò che manca è detto in inglese.

brand = Le sue immagini
language = Lingua
help-title = Domande?
help-text = { $facility } è a sua disposizione.
help-contact = Contatto: { $contact }

landing-title = Aprire le sue immagini
landing-lead = Inserisca ciò che ha ricevuto dalla radiologia. Poi vedrà le sue immagini.
code-label = Codice
code-hint = Se ne ha ricevuto uno: 8 lettere e cifre, per esempio su un foglio.
birth-label = Data di nascita
birth-hint = Per esempio { $example }
day = Giorno
month = Mese
year = Anno
open = Mostra le mie immagini
no-payment = Non chiediamo mai una password né denaro.

error-summary = Controlli i dati inseriti
error-nothing = Inserisca il codice, la data di nascita o entrambi.
error-code-missing = Inserisca anche il codice che ha ricevuto.
error-code-mistyped = In questo codice c’è un errore di battitura. Lo confronti con il foglio: 8 lettere e cifre.
error-birth-missing = Inserisca anche la sua data di nascita.
error-birth-invalid = Questo giorno non esiste. Inserisca giorno, mese e un anno di quattro cifre.
error-mismatch = { $left ->
    [0] I dati non corrispondono.
    [one] I dati non corrispondono. Le resta 1 tentativo.
   *[other] I dati non corrispondono. Le restano { $left } tentativi.
}

wait-title = Attenda un momento
wait-text = Alcuni tentativi non corrispondevano. Per proteggere le sue immagini questo link fa una pausa.
wait-until = Può riprovare tra { $time }.
locked-title = Questo link è bloccato
locked-text = Troppi tentativi non corrispondevano. Per proteggere le sue immagini questo link non si può più usare. Ne chieda uno nuovo.
ended-title = Questo link non è più valido
ended-text = Può essere scaduto o sostituito. Controlli di aver aperto il messaggio più recente, o chieda un nuovo link.
session-title = Apra di nuovo il suo link
session-text = Per sicurezza la sessione si chiude dopo un po’ di inattività. Le sue immagini ci sono ancora.

time-seconds = { $count ->
    [one] 1 secondo
   *[other] { $count } secondi
}
time-minutes = { $count ->
    [one] 1 minuto
   *[other] { $count } minuti
}
time-hours = { $count ->
    [one] 1 ora
   *[other] { $count } ore
}
time-days = { $count ->
    [one] 1 giorno
   *[other] { $count } giorni
}

my-title = Le sue immagini
my-for = Per { $initials }, anno di nascita { $year }
my-until = Può aprire questo link fino al { $date }.
download = Scarica le mie immagini
download-size = { $size }, circa { $time }
download-about = Un file ZIP con tutto in piena qualità. Lo conservi o lo dia a un medico.
download-resume = Se la connessione si interrompe, il browser può riprendere da dove era arrivato.
previews = Queste piccole immagini sono un’anteprima e non servono per una diagnosi.
sign-out = Esci
pictures = { $count ->
    [one] 1 immagine
   *[other] { $count } immagini
}
series-count = { $count ->
    [one] 1 serie
   *[other] { $count } serie
}
modality-CR = Radiografia
modality-CT = TAC
modality-DX = Radiografia
modality-MG = Mammografia
modality-MR = Risonanza magnetica
modality-US = Ecografia
modality-other = Esame
