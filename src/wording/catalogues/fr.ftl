# Ce que lisent les patientes et les patients. Ce qui manque est dit en anglais.

brand = Vos images
skip = Aller au contenu
language = Langue
help-title = Des questions ?
help-text = { $facility } vous aide volontiers.
help-contact = Contact : { $contact }

landing-title = Ouvrir vos images
landing-lead = Saisissez ce que le service de radiologie vous a remis. Vos images s’affichent ensuite.
code-label = Code
code-hint = Si vous en avez reçu un : 8 lettres et chiffres, par exemple sur un papier.
birth-label = Date de naissance
birth-hint = Par exemple { $example }
day = Jour
month = Mois
year = Année
open = Voir mes images
no-payment = Nous ne demandons jamais de mot de passe ni d’argent.

error-summary = Vérifiez votre saisie
error-nothing = Remplissez le code, la date de naissance, ou les deux.
error-code-missing = Saisissez aussi le code que vous avez reçu.
error-code-mistyped = Ce code contient une faute de frappe. Comparez-le avec votre papier : 8 lettres et chiffres.
error-birth-missing = Saisissez aussi votre date de naissance.
error-birth-invalid = Ce jour n’existe pas. Saisissez le jour, le mois et une année à quatre chiffres.
error-mismatch = { $left ->
    [0] Ces informations ne correspondent pas.
    [one] Ces informations ne correspondent pas. Il vous reste { $left } essai.
   *[other] Ces informations ne correspondent pas. Il vous reste { $left } essais.
}

wait-title = Merci de patienter
wait-text = Plusieurs essais ne correspondaient pas. Pour protéger vos images, ce lien fait une pause.
wait-until = Vous pourrez réessayer dans { $time }.
locked-title = Ce lien est bloqué
locked-text = Trop d’essais ne correspondaient pas. Pour protéger vos images, ce lien ne peut plus être utilisé. Demandez-en un nouveau.
ended-title = Ce lien n’est plus valable
ended-text = Il a peut-être expiré ou été remplacé. Vérifiez que vous avez ouvert le message le plus récent, ou demandez un nouveau lien.
busy-title = Trop de demandes
busy-text = Trop de demandes sont venues de votre connexion. Votre lien n’est pas concerné.
session-title = Ouvrez votre lien à nouveau
session-text = Pour votre sécurité, la session se ferme après un moment sans activité. Vos images sont toujours là.
signed-out-title = Vous êtes déconnecté
signed-out-text = Pour revoir vos images, ouvrez le lien de votre message.
missing-title = Cette page n’existe pas
missing-text = Ouvrez à nouveau le lien de votre message.
gone-title = Ces images ne sont plus disponibles
gone-text = Le lien a pris fin, ou ce téléchargement a plus d’un jour. Ouvrez à nouveau votre lien pour recommencer.
error-title = Un problème est survenu
error-text = C’est notre faute, pas la vôtre. Réessayez dans quelques minutes.

time-seconds = { $count ->
    [one] { $count } seconde
   *[other] { $count } secondes
}
time-minutes = { $count ->
    [one] { $count } minute
   *[other] { $count } minutes
}
time-hours = { $count ->
    [one] { $count } heure
   *[other] { $count } heures
}
time-days = { $count ->
    [one] { $count } jour
   *[other] { $count } jours
}

my-title = Vos images
my-for = Pour { $initials }, année de naissance { $year }
my-until = Vous pouvez ouvrir ce lien jusqu’au { $date }.
download = Télécharger mes images
download-size = { $size }, environ { $time }
download-about = Un fichier ZIP avec tout en pleine qualité. Gardez-le, ou donnez-le à un médecin.
download-resume = Si la connexion est coupée, votre navigateur peut reprendre où il s’est arrêté.
previews = Ces petites images sont un aperçu et ne servent pas au diagnostic.
sign-out = Se déconnecter
pictures = { $count ->
    [one] { $count } image
   *[other] { $count } images
}
series-count = { $count ->
    [one] { $count } série
   *[other] { $count } séries
}
modality-CR = Radiographie
modality-CT = Scanner
modality-DX = Radiographie
modality-MG = Mammographie
modality-MR = IRM
modality-US = Échographie
modality-other = Examen
