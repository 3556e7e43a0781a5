# 患者看到的文字。缺少的部分以英文显示。

brand = 您的影像
language = 语言
help-title = 有疑问？
help-text = { $facility }很乐意为您提供帮助。
help-contact = 联系方式：{ $contact }

landing-title = 打开您的影像
landing-lead = 请输入放射科给您的信息，之后即可查看您的影像。
code-label = 代码
code-hint = 如果您收到了代码：8 位字母和数字，例如写在纸条上。
birth-label = 出生日期
birth-hint = 例如：{ $example }
day = 日
month = 月
year = 年
open = 显示我的影像
no-payment = 我们绝不会向您索要密码或钱款。

error-summary = 请检查您输入的内容
error-nothing = 请填写代码、出生日期，或两者都填写。
error-code-missing = 请同时输入您收到的代码。
error-code-mistyped = 代码输入有误。请与纸条核对：8 位字母和数字。
error-birth-missing = 请同时输入您的出生日期。
error-birth-invalid = 日历上没有这一天。请输入日、月和四位数的年份。
error-mismatch = { $left ->
    [0] 信息不匹配。
   *[other] 信息不匹配。您还可以尝试 { $left } 次。
}

wait-title = 请稍候
wait-text = 有几次输入不匹配。为了保护您的影像，此链接暂时停用。
wait-until = 请在{ $time }后再试。
locked-title = 此链接已锁定
locked-text = 不匹配的尝试次数过多。为了保护您的影像，此链接不能再使用。请索取新的链接。
ended-title = 此链接已失效
ended-text = 它可能已过期或被新链接取代。请确认您打开的是最新的消息，或索取新的链接。
session-title = 请重新打开您的链接
session-text = 为了您的安全，一段时间不使用后会自动退出。您的影像仍然在。

time-seconds = { $count ->
   *[other] { $count } 秒
}
time-minutes = { $count ->
   *[other] { $count } 分钟
}
time-hours = { $count ->
   *[other] { $count } 小时
}
time-days = { $count ->
   *[other] { $count } 天
}

my-title = 您的影像
my-for = { $initials }，{ $year } 年出生
my-until = 您可以在 { $date } 之前打开此链接。
download = 下载我的影像
download-size = { $size }，约需{ $time }
download-about = 一个 ZIP 文件，包含全部原始质量的影像。请妥善保存，或交给任何医生。
download-resume = 如果连接中断，浏览器可以从中断处继续。
previews = 这些小图仅供预览，不用于诊断。
sign-out = 退出
pictures = { $count ->
   *[other] { $count } 幅影像
}
series-count = { $count ->
   *[other] { $count } 个序列
}
modality-CR = X 光
modality-CT = CT 检查
modality-DX = X 光
modality-MG = 乳腺 X 光
modality-MR = 磁共振（MRI）
modality-US = 超声
modality-other = 检查
