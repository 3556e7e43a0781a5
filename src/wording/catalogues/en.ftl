# What patients read. Short sentences, everyday words; no term that needs a medical dictionary.

brand = Your images
skip = Skip to the content
language = Language
help-title = Questions?
help-text = { $facility } is happy to help.
help-contact = Contact: { $contact }

landing-title = Open your images
landing-lead = Enter what the radiology department gave you. Your images are shown after that.
code-label = Code
code-hint = If you were given one: 8 letters and digits, for example on a slip of paper.
birth-label = Date of birth
birth-hint = For example { $example }
day = Day
month = Month
year = Year
open = Show my images
no-payment = We never ask for a password or for money.

error-summary = Please check what you entered
error-nothing = Please fill in the code, or the date of birth, or both.
error-code-missing = Please also enter the code you were given.
error-code-mistyped = This code has a typing error. Please compare it with your slip: 8 letters and digits.
error-birth-missing = Please also enter your date of birth.
error-birth-invalid = This is not a day of the calendar. Please enter day, month and a year of four digits.
error-mismatch = { $left ->
    [0] Those details do not match.
    [one] Those details do not match. You have 1 try left.
   *[other] Those details do not match. You have { $left } tries left.
}

wait-title = Please wait a moment
wait-text = There were several tries that did not match. To protect your images, this link takes a break.
wait-until = You can try again in { $time }.
locked-title = This link is locked
locked-text = There were too many tries that did not match. To protect your images, this link cannot be used any more. Please ask for a new one.
ended-title = This link has ended
ended-text = It may have expired or been replaced by a new one. Please check that you opened the newest message, or ask for a new link.
busy-title = Too many requests
busy-text = There were too many requests from your connection. Your link is not affected.
download-busy-title = A download is already running
download-busy-text = Please let it finish, or stop it in your browser, and then try again.
download-much-title = This link has been used a lot
download-much-text = Your images have been downloaded several times this week. You can download them again in { $time }. If you need them sooner, please contact us.
gone-title = These images are not available any more
gone-text = The link was ended, or this download is older than a day. Open your link again to start a new download.
missing-title = This page does not exist
missing-text = Please open the link from your message again.
signed-out-title = You are signed out
signed-out-text = To see your images again, open the link from your message.
session-title = Please open your link again
session-text = For your safety you are signed out after a while without use. Your images are still there.
refused-title = This was not accepted
refused-text = The page was open for a long time, or the request came from another site. Please open your link again.
error-title = Something went wrong
error-text = This is our fault, not yours. Please try again in a few minutes.

time-seconds = { $count ->
    [one] 1 second
   *[other] { $count } seconds
}
time-minutes = { $count ->
    [one] 1 minute
   *[other] { $count } minutes
}
time-hours = { $count ->
    [one] 1 hour
   *[other] { $count } hours
}
time-days = { $count ->
    [one] 1 day
   *[other] { $count } days
}

my-title = Your images
my-for = For { $initials }, born { $year }
my-for-initials = For { $initials }
my-for-year = For the person born { $year }
my-until = You can open this link until { $date }.
my-empty = There are no images here yet. Please come back later.
download = Download my images
download-size = { $size }, about { $time } to load
download-about = One ZIP file with everything in full quality. Keep it, or give it to any doctor.
download-computer = This is a large file. It works on a phone too, but a computer is more comfortable.
download-resume = If the connection breaks, your browser can go on where it stopped.
study-date-unknown = Date not known
series-count = { $count ->
    [one] 1 series
   *[other] { $count } series
}
pictures = { $count ->
    [one] 1 image
   *[other] { $count } images
}
picture-of = Preview of: { $series }
picture-none = No preview for this series. It is part of the download.
series-unnamed = Series { $number }
previews = These small pictures are a preview and not meant for a diagnosis.
more-series = { $count ->
    [one] And 1 more series, which is part of the download.
   *[other] And { $count } more series, which are part of the download.
}
sign-out = Sign out
idle-note = After { $time } without use you are signed out.

modality-CR = X-ray
modality-CT = CT scan
modality-DX = X-ray
modality-ES = Endoscopy
modality-IO = Dental X-ray
modality-IVUS = Ultrasound inside a vessel
modality-MG = Mammogram
modality-MR = MRI scan
modality-NM = Nuclear medicine scan
modality-OCT = Optical coherence scan
modality-OP = Eye photograph
modality-OPT = Eye scan
modality-OT = Images
modality-PT = PET scan
modality-PX = Panoramic dental X-ray
modality-RF = X-ray video
modality-SC = Images
modality-SM = Microscope images
modality-SR = Report
modality-US = Ultrasound
modality-XA = Blood vessel X-ray
modality-XC = Photograph
modality-other = Examination

body-ABDOMEN = abdomen
body-ANKLE = ankle
body-ARM = arm
body-BLADDER = bladder
body-BRAIN = brain
body-BREAST = breast
body-CHEST = chest
body-CLAVICLE = collarbone
body-COCCYX = tailbone
body-CSPINE = neck spine
body-EAR = ear
body-ELBOW = elbow
body-EYE = eye
body-FINGER = finger
body-FOOT = foot
body-HAND = hand
body-HEAD = head
body-HEART = heart
body-HIP = hip
body-JAW = jaw
body-KIDNEY = kidney
body-KNEE = knee
body-LEG = leg
body-LIVER = liver
body-LSPINE = lower back
body-NECK = neck
body-PELVIS = pelvis
body-PROSTATE = prostate
body-SHOULDER = shoulder
body-SKULL = skull
body-SPINE = spine
body-TSPINE = upper back
body-WHOLEBODY = whole body
body-WRIST = wrist
