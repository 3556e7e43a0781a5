# Was Patientinnen und Patienten lesen.

brand = Ihre Bilder
skip = Zum Inhalt springen
language = Sprache
help-title = Fragen?
help-text = { $facility } hilft Ihnen gerne.
help-contact = Kontakt: { $contact }

landing-title = Ihre Bilder öffnen
landing-lead = Geben Sie ein, was Sie von der Radiologie erhalten haben. Danach sehen Sie Ihre Bilder.
code-label = Code
code-hint = Falls Sie einen erhalten haben: 8 Buchstaben und Ziffern, zum Beispiel auf einem Zettel.
birth-label = Geburtsdatum
birth-hint = Zum Beispiel { $example }
day = Tag
month = Monat
year = Jahr
open = Meine Bilder zeigen
no-payment = Wir fragen nie nach einem Passwort oder nach Geld.

error-summary = Bitte prüfen Sie Ihre Angaben
error-nothing = Bitte füllen Sie den Code oder das Geburtsdatum aus, oder beides.
error-code-missing = Bitte geben Sie auch den Code ein, den Sie erhalten haben.
error-code-mistyped = In diesem Code ist ein Tippfehler. Bitte vergleichen Sie ihn mit Ihrem Zettel: 8 Buchstaben und Ziffern.
error-birth-missing = Bitte geben Sie auch Ihr Geburtsdatum ein.
error-birth-invalid = Diesen Tag gibt es im Kalender nicht. Bitte geben Sie Tag, Monat und ein vierstelliges Jahr ein.
error-mismatch = { $left ->
    [0] Diese Angaben stimmen nicht überein.
    [one] Diese Angaben stimmen nicht überein. Sie haben noch 1 Versuch.
   *[other] Diese Angaben stimmen nicht überein. Sie haben noch { $left } Versuche.
}

wait-title = Bitte warten Sie einen Moment
wait-text = Mehrere Versuche waren nicht richtig. Zum Schutz Ihrer Bilder macht dieser Link eine Pause.
wait-until = Sie können es in { $time } wieder versuchen.
locked-title = Dieser Link ist gesperrt
locked-text = Zu viele Versuche waren nicht richtig. Zum Schutz Ihrer Bilder kann dieser Link nicht mehr benutzt werden. Bitte fragen Sie nach einem neuen.
ended-title = Dieser Link ist nicht mehr gültig
ended-text = Er ist abgelaufen oder wurde durch einen neuen ersetzt. Bitte prüfen Sie, ob Sie die neueste Nachricht geöffnet haben, oder fragen Sie nach einem neuen Link.
busy-title = Zu viele Anfragen
busy-text = Von Ihrem Anschluss kamen zu viele Anfragen. Ihr Link ist davon nicht betroffen.
download-busy-title = Ein Download läuft bereits
download-busy-text = Bitte warten Sie, bis er fertig ist, oder brechen Sie ihn im Browser ab. Versuchen Sie es dann erneut.
download-much-title = Dieser Link wurde sehr oft benutzt
download-much-text = Ihre Bilder wurden diese Woche mehrmals heruntergeladen. In { $time } geht es wieder. Wenn Sie sie früher brauchen, melden Sie sich bitte bei uns.
gone-title = Diese Bilder sind nicht mehr verfügbar
gone-text = Der Link wurde beendet, oder dieser Download ist älter als ein Tag. Öffnen Sie Ihren Link erneut, um neu zu beginnen.
missing-title = Diese Seite gibt es nicht
missing-text = Bitte öffnen Sie den Link aus Ihrer Nachricht noch einmal.
signed-out-title = Sie sind abgemeldet
signed-out-text = Um Ihre Bilder wieder zu sehen, öffnen Sie den Link aus Ihrer Nachricht.
session-title = Bitte öffnen Sie Ihren Link noch einmal
session-text = Zu Ihrer Sicherheit werden Sie nach einer Weile abgemeldet. Ihre Bilder sind noch da.
refused-title = Das wurde nicht angenommen
refused-text = Die Seite war lange offen, oder die Anfrage kam von einer anderen Seite. Bitte öffnen Sie Ihren Link noch einmal.
error-title = Etwas ist schiefgegangen
error-text = Das ist unser Fehler, nicht Ihrer. Bitte versuchen Sie es in ein paar Minuten erneut.

time-seconds = { $count ->
    [one] 1 Sekunde
   *[other] { $count } Sekunden
}
time-minutes = { $count ->
    [one] 1 Minute
   *[other] { $count } Minuten
}
time-hours = { $count ->
    [one] 1 Stunde
   *[other] { $count } Stunden
}
time-days = { $count ->
    [one] 1 Tag
   *[other] { $count } Tagen
}

my-title = Ihre Bilder
my-for = Für { $initials }, geboren { $year }
my-for-initials = Für { $initials }
my-for-year = Für die Person, geboren { $year }
my-until = Sie können diesen Link bis zum { $date } öffnen.
my-empty = Hier sind noch keine Bilder. Bitte kommen Sie später wieder.
download = Meine Bilder herunterladen
download-size = { $size }, Ladezeit: etwa { $time }
download-about = Eine ZIP-Datei mit allem in voller Qualität. Behalten Sie sie, oder geben Sie sie einer Ärztin oder einem Arzt.
download-computer = Das ist eine große Datei. Am Telefon geht es auch, am Computer ist es bequemer.
download-resume = Wenn die Verbindung abbricht, kann Ihr Browser dort weitermachen, wo er war.
study-date-unknown = Datum nicht bekannt
series-count = { $count ->
    [one] 1 Serie
   *[other] { $count } Serien
}
pictures = { $count ->
    [one] 1 Bild
   *[other] { $count } Bilder
}
picture-of = Vorschau von: { $series }
picture-none = Für diese Serie gibt es keine Vorschau. Sie ist im Download enthalten.
series-unnamed = Serie { $number }
previews = Diese kleinen Bilder sind eine Vorschau und nicht für eine Diagnose gedacht.
more-series = { $count ->
    [one] Und 1 weitere Serie, die im Download enthalten ist.
   *[other] Und { $count } weitere Serien, die im Download enthalten sind.
}
sign-out = Abmelden
idle-note = Nach { $time } ohne Benutzung werden Sie abgemeldet.

modality-CR = Röntgenbild
modality-CT = Computertomographie (CT)
modality-DX = Röntgenbild
modality-ES = Endoskopie
modality-IO = Zahnröntgen
modality-IVUS = Ultraschall im Blutgefäß
modality-MG = Mammographie
modality-MR = Magnetresonanztomographie (MRT)
modality-NM = Nuklearmedizin
modality-OCT = Optische Kohärenztomographie
modality-OP = Augenfoto
modality-OPT = Augenuntersuchung
modality-OT = Bilder
modality-PT = PET-Untersuchung
modality-PX = Panorama-Zahnröntgen
modality-RF = Röntgen-Durchleuchtung
modality-SC = Bilder
modality-SM = Mikroskopbilder
modality-SR = Befund
modality-US = Ultraschall
modality-XA = Gefäßröntgen
modality-XC = Foto
modality-other = Untersuchung

body-ABDOMEN = Bauch
body-ANKLE = Sprunggelenk
body-ARM = Arm
body-BLADDER = Harnblase
body-BRAIN = Gehirn
body-BREAST = Brust
body-CHEST = Brustkorb
body-CLAVICLE = Schlüsselbein
body-COCCYX = Steißbein
body-CSPINE = Halswirbelsäule
body-EAR = Ohr
body-ELBOW = Ellbogen
body-EYE = Auge
body-FINGER = Finger
body-FOOT = Fuß
body-HAND = Hand
body-HEAD = Kopf
body-HEART = Herz
body-HIP = Hüfte
body-JAW = Kiefer
body-KIDNEY = Niere
body-KNEE = Knie
body-LEG = Bein
body-LIVER = Leber
body-LSPINE = Lendenwirbelsäule
body-NECK = Hals
body-PELVIS = Becken
body-PROSTATE = Prostata
body-SHOULDER = Schulter
body-SKULL = Schädel
body-SPINE = Wirbelsäule
body-TSPINE = Brustwirbelsäule
body-WHOLEBODY = ganzer Körper
body-WRIST = Handgelenk
