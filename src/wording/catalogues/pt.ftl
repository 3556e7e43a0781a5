# O que as pacientes e os pacientes leem. O que falta é dito em inglês.

brand = As suas imagens
language = Idioma
help-title = Perguntas?
help-text = { $facility } ajuda com todo o gosto.
help-contact = Contacto: { $contact }

landing-title = Abrir as suas imagens
landing-lead = Introduza o que recebeu da radiologia. Depois verá as suas imagens.
code-label = Código
code-hint = Se recebeu um: 8 letras e algarismos, por exemplo num papel.
birth-label = Data de nascimento
birth-hint = Por exemplo { $example }
day = Dia
month = Mês
year = Ano
open = Ver as minhas imagens
no-payment = Nunca pedimos uma palavra-passe nem dinheiro.

error-summary = Verifique o que introduziu
error-nothing = Preencha o código, a data de nascimento ou ambos.
error-code-missing = Introduza também o código que recebeu.
error-code-mistyped = Este código tem um erro de escrita. Compare-o com o seu papel: 8 letras e algarismos.
error-birth-missing = Introduza também a sua data de nascimento.
error-birth-invalid = Esse dia não existe. Introduza dia, mês e um ano com quatro algarismos.
error-mismatch = { $left ->
    [0] Os dados não coincidem.
    [one] Os dados não coincidem. Resta { $left } tentativa.
   *[other] Os dados não coincidem. Restam { $left } tentativas.
}

wait-title = Aguarde um momento
wait-text = Várias tentativas não coincidiram. Para proteger as suas imagens, esta ligação faz uma pausa.
wait-until = Pode tentar de novo daqui a { $time }.
locked-title = Esta ligação está bloqueada
locked-text = Houve demasiadas tentativas que não coincidiram. Para proteger as suas imagens, esta ligação já não pode ser usada. Peça uma nova.
ended-title = Esta ligação já não é válida
ended-text = Pode ter expirado ou sido substituída. Confirme que abriu a mensagem mais recente ou peça uma nova ligação.
session-title = Abra de novo a sua ligação
session-text = Por segurança, a sessão termina após algum tempo sem utilização. As suas imagens continuam lá.

time-seconds = { $count ->
    [one] { $count } segundo
   *[other] { $count } segundos
}
time-minutes = { $count ->
    [one] { $count } minuto
   *[other] { $count } minutos
}
time-hours = { $count ->
    [one] { $count } hora
   *[other] { $count } horas
}
time-days = { $count ->
    [one] { $count } dia
   *[other] { $count } dias
}

my-title = As suas imagens
my-for = Para { $initials }, ano de nascimento { $year }
my-until = Pode abrir esta ligação até { $date }.
download = Descarregar as minhas imagens
download-size = { $size }, cerca de { $time }
download-about = Um ficheiro ZIP com tudo em qualidade total. Guarde-o ou entregue-o a um médico.
download-resume = Se a ligação falhar, o navegador pode continuar de onde parou.
previews = Estas imagens pequenas são uma pré-visualização e não servem para diagnóstico.
sign-out = Terminar sessão
pictures = { $count ->
    [one] { $count } imagem
   *[other] { $count } imagens
}
series-count = { $count ->
    [one] { $count } série
   *[other] { $count } séries
}
modality-CR = Radiografia
modality-CT = Tomografia computorizada (TC)
modality-DX = Radiografia
modality-MG = Mamografia
modality-MR = Ressonância magnética
modality-US = Ecografia
modality-other = Exame
