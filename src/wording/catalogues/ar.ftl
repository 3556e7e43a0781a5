# ما يقرؤه المرضى. وما ينقص يُقال بالإنجليزية.

brand = صورك
language = اللغة
help-title = أسئلة؟
help-text = يسعد { $facility } بمساعدتك.
help-contact = للاتصال: { $contact }

landing-title = افتح صورك
landing-lead = أدخل ما أعطاك إياه قسم الأشعة. بعد ذلك ترى صورك.
code-label = الرمز
code-hint = إذا أُعطيت رمزًا: 8 أحرف وأرقام، مثلًا على ورقة.
birth-label = تاريخ الميلاد
birth-hint = مثلًا { $example }
day = اليوم
month = الشهر
year = السنة
open = اعرض صوري
no-payment = لا نطلب أبدًا كلمة مرور أو مالًا.

error-summary = يرجى التحقق مما أدخلت
error-nothing = يرجى إدخال الرمز أو تاريخ الميلاد أو كليهما.
error-code-missing = يرجى إدخال الرمز الذي أُعطيته أيضًا.
error-code-mistyped = في هذا الرمز خطأ في الكتابة. قارنه بورقتك: 8 أحرف وأرقام.
error-birth-missing = يرجى إدخال تاريخ ميلادك أيضًا.
error-birth-invalid = هذا اليوم غير موجود. أدخل اليوم والشهر وسنة من أربعة أرقام.
error-mismatch = { $left ->
    [0] البيانات غير متطابقة.
   *[other] البيانات غير متطابقة. المحاولات المتبقية: { $left }.
}

wait-title = يرجى الانتظار قليلًا
wait-text = كانت عدة محاولات غير صحيحة. لحماية صورك يتوقف هذا الرابط مؤقتًا.
wait-until = يمكنك المحاولة مجددًا بعد { $time }.
locked-title = هذا الرابط مقفل
locked-text = كانت هناك محاولات كثيرة غير صحيحة. لحماية صورك لا يمكن استخدام هذا الرابط بعد الآن. اطلب رابطًا جديدًا.
ended-title = انتهت صلاحية هذا الرابط
ended-text = ربما انتهت مدته أو استُبدل برابط جديد. تأكد من أنك فتحت أحدث رسالة، أو اطلب رابطًا جديدًا.
session-title = افتح رابطك من جديد
session-text = حفاظًا على أمانك تُغلق الجلسة بعد فترة من عدم الاستخدام. صورك ما زالت موجودة.

time-seconds = { $count ->
    [one] ثانية واحدة
    [two] ثانيتين
    [few] { $count } ثوانٍ
   *[other] { $count } ثانية
}
time-minutes = { $count ->
    [one] دقيقة واحدة
    [two] دقيقتين
    [few] { $count } دقائق
   *[other] { $count } دقيقة
}
time-hours = { $count ->
    [one] ساعة واحدة
    [two] ساعتين
    [few] { $count } ساعات
   *[other] { $count } ساعة
}
time-days = { $count ->
    [one] يوم واحد
    [two] يومين
    [few] { $count } أيام
   *[other] { $count } يومًا
}

my-title = صورك
my-for = { $initials }، سنة الميلاد { $year }
my-until = يمكنك فتح هذا الرابط حتى { $date }.
download = تنزيل صوري
download-size = { $size }، حوالي { $time }
download-about = ملف ZIP واحد فيه كل شيء بالجودة الكاملة. احتفظ به أو أعطه لأي طبيب.
download-resume = إذا انقطع الاتصال يمكن للمتصفح أن يتابع من حيث توقف.
previews = هذه الصور الصغيرة للمعاينة فقط وليست للتشخيص.
sign-out = تسجيل الخروج
pictures = { $count ->
    [one] صورة واحدة
    [two] صورتان
    [few] { $count } صور
   *[other] { $count } صورة
}
series-count = { $count ->
    [one] سلسلة واحدة
    [two] سلسلتان
    [few] { $count } سلاسل
   *[other] { $count } سلسلة
}
modality-CR = صورة بالأشعة السينية
modality-CT = تصوير مقطعي محوسب
modality-DX = صورة بالأشعة السينية
modality-MG = تصوير الثدي بالأشعة
modality-MR = تصوير بالرنين المغناطيسي
modality-US = تصوير بالموجات فوق الصوتية
modality-other = فحص
