# Lo que leen las pacientes y los pacientes. Lo que falta se dice en inglés.

brand = Sus imágenes
skip = Ir al contenido
language = Idioma
help-title = ¿Preguntas?
help-text = { $facility } le ayuda con gusto.
help-contact = Contacto: { $contact }

landing-title = Abrir sus imágenes
landing-lead = Escriba lo que le dieron en radiología. Después verá sus imágenes.
code-label = Código
code-hint = Si le dieron uno: 8 letras y cifras, por ejemplo en un papel.
birth-label = Fecha de nacimiento
birth-hint = Por ejemplo { $example }
day = Día
month = Mes
year = Año
open = Ver mis imágenes
no-payment = Nunca le pedimos una contraseña ni dinero.

error-summary = Revise lo que ha escrito
error-nothing = Rellene el código, la fecha de nacimiento o ambos.
error-code-missing = Escriba también el código que le dieron.
error-code-mistyped = Este código tiene un error al escribirlo. Compárelo con su papel: 8 letras y cifras.
error-birth-missing = Escriba también su fecha de nacimiento.
error-birth-invalid = Ese día no existe en el calendario. Escriba día, mes y un año de cuatro cifras.
error-mismatch = { $left ->
    [0] Los datos no coinciden.
    [one] Los datos no coinciden. Le queda 1 intento.
   *[other] Los datos no coinciden. Le quedan { $left } intentos.
}

wait-title = Espere un momento
wait-text = Varios intentos no coincidieron. Para proteger sus imágenes, este enlace hace una pausa.
wait-until = Puede volver a intentarlo en { $time }.
locked-title = Este enlace está bloqueado
locked-text = Hubo demasiados intentos que no coincidieron. Para proteger sus imágenes, este enlace ya no se puede usar. Pida uno nuevo.
ended-title = Este enlace ya no es válido
ended-text = Puede haber caducado o haber sido sustituido por otro. Compruebe que abrió el mensaje más reciente o pida un enlace nuevo.
busy-title = Demasiadas solicitudes
busy-text = Hubo demasiadas solicitudes desde su conexión. Su enlace no está afectado.
session-title = Abra su enlace de nuevo
session-text = Por su seguridad, la sesión se cierra tras un rato sin uso. Sus imágenes siguen ahí.
signed-out-title = Ha cerrado la sesión
signed-out-text = Para volver a ver sus imágenes, abra el enlace de su mensaje.
missing-title = Esta página no existe
missing-text = Abra de nuevo el enlace de su mensaje.
gone-title = Estas imágenes ya no están disponibles
gone-text = El enlace terminó, o esta descarga tiene más de un día. Abra su enlace de nuevo para empezar otra vez.
error-title = Algo ha fallado
error-text = Es un fallo nuestro, no suyo. Inténtelo de nuevo en unos minutos.

time-seconds = { $count ->
    [one] 1 segundo
   *[other] { $count } segundos
}
time-minutes = { $count ->
    [one] 1 minuto
   *[other] { $count } minutos
}
time-hours = { $count ->
    [one] 1 hora
   *[other] { $count } horas
}
time-days = { $count ->
    [one] 1 día
   *[other] { $count } días
}

my-title = Sus imágenes
my-for = Para { $initials }, año de nacimiento { $year }
my-until = Puede abrir este enlace hasta el { $date }.
download = Descargar mis imágenes
download-size = { $size }, unos { $time } de descarga
download-about = Un archivo ZIP con todo en plena calidad. Guárdelo o entréguelo a cualquier médico.
download-resume = Si se corta la conexión, su navegador puede continuar donde se quedó.
previews = Estas imágenes pequeñas son una vista previa y no sirven para un diagnóstico.
sign-out = Cerrar sesión
pictures = { $count ->
    [one] 1 imagen
   *[other] { $count } imágenes
}
series-count = { $count ->
    [one] 1 serie
   *[other] { $count } series
}
modality-CR = Radiografía
modality-CT = Tomografía computarizada (TC)
modality-DX = Radiografía
modality-MG = Mamografía
modality-MR = Resonancia magnética
modality-US = Ecografía
modality-other = Examen
