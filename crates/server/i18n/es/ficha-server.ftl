# Las páginas de Ficha.

skip = Ir al contenido
menu = Menú principal
sessions = Sesiones
my-account = Mi cuenta
sign-out = Cerrar sesión
preferences = Idioma y tema
language = Idioma
theme = Tema
theme-light = Claro
theme-dark = Oscuro
theme-system = Igual que el sistema
pages = Páginas
to-the-console = Ir a la página de inicio
one-moment = Un momento
go-on = Continuar

sign-in = Iniciar sesión
user-name = Nombre de usuario
password = Contraseña
signed-out = Has cerrado la sesión.
password-changed-sign-in = Tu contraseña ha cambiado y todas tus sesiones han terminado. Inicia sesión con la nueva.
wrong-password = El nombre de usuario o la contraseña no son correctos, o ha habido demasiados intentos. Revísalos o inténtalo de nuevo en unos minutos.
nothing-here = La contraseña es correcta, pero esta cuenta no puede usar estas páginas. Pide a un administrador el ámbito ficha:account.
too-many-sign-ins = Demasiadas personas están iniciando sesión en este momento. Inténtalo de nuevo en unos segundos.

foreign-form = Este formulario no se envió desde esta página
foreign-form-advice = No se ha cambiado nada. Quizá has iniciado sesión de nuevo en otra pestaña, o las cookies están desactivadas. Abre la página otra vez y envía el formulario desde ella.
forbidden = No puedes hacer esto
forbidden-advice = A tu cuenta le falta el ámbito necesario. Un administrador con ficha:admin puede dártelo.
not-found = Aquí no hay nada
not-found-advice = Se ha borrado, nunca existió, o la dirección no es correcta.
conflict = Ahora no es posible
conflict-advice = Puede que haya cambiado entretanto, o que otra cosa lo impida. Vuelve a mirarlo.
misdirected = Esta no es la dirección de este servidor
misdirected-advice = Abre estas páginas en { $site }. Un proxy intermedio debe transmitir la cabecera Host.
unavailable = El servidor no puede responder ahora
unavailable-advice = No puede acceder a su base de datos, o está ocupado. Si has cambiado algo, puede que se haya hecho o no: vuelve a mirar en un momento.
failed = El servidor ha fallado
failed-advice = Su registro dice por qué.
invalid = Hay algo incorrecto en lo que se envió
invalid-advice = No se ha cambiado nada. Vuelve atrás y revisa lo que has escrito.

seconds-ago = { $count ->
    [0] ahora mismo
    [one] hace { $count } segundo
   *[other] hace { $count } segundos
}
minutes-ago = { $count ->
    [one] hace { $count } minuto
   *[other] hace { $count } minutos
}
hours-ago = { $count ->
    [one] hace { $count } hora
   *[other] hace { $count } horas
}
days-ago = { $count ->
    [one] hace { $count } día
   *[other] hace { $count } días
}
in-seconds = { $count ->
    [one] dentro de { $count } segundo
   *[other] dentro de { $count } segundos
}
in-minutes = { $count ->
    [one] dentro de { $count } minuto
   *[other] dentro de { $count } minutos
}
in-hours = { $count ->
    [one] dentro de { $count } hora
   *[other] dentro de { $count } horas
}
in-days = { $count ->
    [one] dentro de { $count } día
   *[other] dentro de { $count } días
}

user = Usuario
client = Cliente
address = Dirección
device = Dispositivo
state = Estado
any = Cualquiera
state-live = Activa
state-expired = Caducada
state-revoked = Revocada
scope = Ámbito
scopes = Ámbitos
audience = Audiencia
created = Inicio
created-after = Iniciada después de (UTC)
created-before = Iniciada antes de (UTC)
last-used = Último uso
id = Identificador
ended = Terminada
more-filters = Más filtros
user-agent-contains = El agente de usuario contiene
search = Buscar
all-sessions = Mostrar todas las sesiones
select = Seleccionar
select-session-of = Seleccionar la sesión de { $name }
this-session = Esta sesión
no-sessions = Ninguna sesión coincide. Revisa el filtro o muestra todas las sesiones.
sessions-count = { $count ->
    [one] { $count } sesión.
   *[other] { $count } sesiones.
}
sessions-at-least = Al menos { $count } sesiones.
scanned = Se han mirado { $count } sesiones; puede que coincidan otras más antiguas.
newer = Más recientes
older = Más antiguas
end-selected = Terminar las sesiones seleccionadas
end-all-matching = Terminar todas las que coinciden
client-itself = (el propio cliente)
unknown-device = Dispositivo desconocido
unknown-address = desconocida
session-of = Sesión de { $name }
ends-unless-used = Termina si no se usa
ends-in-any-case = Termina como máximo

end-session = Terminar la sesión
end-session-of = ¿Terminar la sesión de { $name }?
end-it = Terminarla ahora
end-sessions = Terminar sesiones
end-them = Terminarlas ahora
cancel = Cancelar
what-happens = Qué pasará
tokens-refused = Todos los servicios rechazan los tokens de acceso de lo que se termina, normalmente en un cuarto de segundo.
must-sign-in-again = Ya no se podrá renovar: para seguir, el usuario tendrá que iniciar sesión de nuevo.
services-told = { $count ->
    [one] Hay un servicio que sigue la lista:
   *[other] Hay { $count } servicios que siguen la lista:
}
this-is-yours = Es la sesión que estás usando ahora. Se cerrará.
why-for-the-log = Motivo (para el registro de eventos; opcional)
will-end-selected = { $count ->
    [0] Ya no queda ninguna de las sesiones seleccionadas.
    [one] Terminará una sesión seleccionada.
   *[other] Terminarán { $count } sesiones seleccionadas.
}
will-end-matching = { $count ->
    [0] Coinciden { $all } sesiones, y no queda ninguna por terminar.
    [one] { $all ->
        [one] Coincide una sesión, y terminará.
       *[other] Coinciden { $all } sesiones. Una de ellas no ha terminado y terminará.
    }
   *[other] Coinciden { $all } sesiones. { $count } de ellas no han terminado y terminarán.
}
whose = De quién son
as-many-sessions = { $count ->
    [one] { $count } sesión
   *[other] { $count } sesiones
}
of-other-users = { $count ->
    [one] Otro usuario más
   *[other] Otros { $count } usuarios
}
of-clients = { $count ->
    [one] Una sesión de una aplicación que actúa por sí misma
   *[other] { $count } sesiones de aplicaciones que actúan por sí mismas
}
more-by-now = No se ha terminado nada: ahora coinciden más sesiones de las que mostraba esta página. Mira el nuevo número.
session-ended = La sesión ha terminado.
session-had-ended = La sesión ya había terminado.
sessions-ended = { $count ->
    [0] No quedaba ninguna sesión por terminar.
    [one] Ha terminado una sesión.
   *[other] Han terminado { $count } sesiones.
}
a-job-ends-them = Coinciden { $count } sesiones. Una tarea las está terminando; sigue aunque cierres esta página.
back-to-the-list = Volver a la lista

who-refuses = Quién rechaza ya sus tokens
receipt-complete = { $count ->
    [0] Todos los servicios rechazan sus tokens.
    [one] El servicio rechaza sus tokens.
   *[other] Los { $count } servicios rechazan sus tokens.
}
receipt-no-services = Ningún servicio sigue a este servidor en este momento. El que se conecte lo recibirá antes que nada.
receipt-incomplete = Aún no lo han confirmado todos los servicios.
applied-after = los rechaza, confirmado a los { $milliseconds } ms
applied = los rechaza
behind = aún no lo ha confirmado.
cut-off = está desconectado y rechaza todos los tokens desde
accepts-stale = puede que no lo sepa, y se configuró para seguir aceptando tokens.
refuses-from = Rechazará todos los tokens como muy tarde:
unnamed = { $count ->
    [one] Un seguidor no ha dicho su nombre; no se sabe nada de él.
   *[other] { $count } seguidores no han dicho su nombre; no se sabe nada de ellos.
}
silent = { $count ->
    [one] Un servidor no ha respondido; no se sabe nada de sus seguidores.
   *[other] { $count } servidores no han respondido; no se sabe nada de sus seguidores.
}

reason-logout = Cerrada por su usuario
reason-replay = Un token de renovación se usó dos veces: puede que lo hayan robado
reason-future-generation = La base de datos se restauró de una copia de seguridad
reason-admin = Terminada por un administrador
reason-password-changed = Se cambió la contraseña
reason-rights-changed = El usuario o el cliente perdió permisos
reason-user-disabled = El usuario fue desactivado o borrado
reason-client-revoked = El cliente fue desactivado, borrado o revocado
reason-purge = Se terminaron todas las sesiones
by-command-line = { $name }, en la línea de comandos
by-server = el servidor
by-unknown = alguien desconocido

where-signed-in = Dónde has iniciado sesión
sign-out-here = Cerrar sesión aquí
end-all-others = Terminar todas las demás
change-password = Cambiar la contraseña
password-must-change = La contraseña que te dieron sirve una sola vez. Elige la tuya para continuar.
old-password = Contraseña actual
new-password = Contraseña nueva
repeated-password = Contraseña nueva otra vez
password-rules = Al menos { $count } caracteres. Se admiten espacios: varias palabras son fáciles de recordar.
password-ends-sessions = Terminan todas tus sesiones, también esta, y tendrás que iniciar sesión de nuevo.
passwords-differ = Las dos contraseñas nuevas no son iguales.
wrong-old-password = La contraseña actual no es correcta, o ha habido demasiados intentos. Revísala o inténtalo de nuevo en unos minutos.
same-password = La contraseña nueva es la misma que la actual.
password-too-short = La contraseña nueva debe tener al menos { $count } caracteres.
password-too-long = La contraseña nueva es demasiado larga.
password-common = La contraseña nueva es demasiado común. Elige varias palabras que no tengan relación.
password-simple = La contraseña nueva es demasiado simple: se repite o es una secuencia de teclas.
password-name = La contraseña nueva no debe basarse en tu nombre de usuario ni en el nombre de este servicio.

overview = Resumen
needs-attention = Lo que requiere atención
nothing-needs-attention = Nada. Todo va bien.
live-sessions = Sesiones activas
services-current = Servicios al día
of-all = { $count } de { $all }
number = { $count }
at-least = al menos { $count }
milliseconds = { $count } ms
denylist-entries = Entradas de la lista de revocados
key-signs-since = La clave actual firma desde
range = Período
last-hour = Última hora
last-day = Últimas 24 horas
last-week = Últimos 7 días
last-month = Últimos 30 días
logins = Inicios de sesión
login-failures = Inicios fallidos
refreshes = Renovaciones
revocations = Revocaciones
plot-label = { $title }: { $total } en total, como máximo { $most } en un intervalo. La tabla de abajo tiene cada número.
as-a-table = Como tabla
time = Hora (UTC)
services = Servicios
service = Servicio
no-services = Ningún servicio sigue a este servidor en este momento.
lag = Retraso
last-seen = Última conexión
service-current = Al día
service-behind = Con retraso
service-cut-off = Desconectado: rechaza todo
service-stale = Acepta listas antiguas
attention-database-refuses = La base de datos no acepta cambios
attention-database-refuses-advice = Mientras siga así, no se puede cambiar ni revocar nada. Busca un disco lleno, un sistema de archivos de solo lectura o una réplica en espera.
attention-database-lost = La base de datos ha perdido cambios
attention-database-lost-advice = Restáurala desde una copia de seguridad o una réplica, y ejecuta después ficha recover.
attention-clock = Se ha cambiado el reloj
attention-clock-advice = Comprueba que ahora es correcto y que lo ajusta NTP. Hasta que sea seguro, las sesiones que podrían haber caducado no se pueden renovar.
attention-event-lines = Se pierden líneas del registro de eventos
attention-event-lines-advice = Lo que lee las líneas del registro de eventos es demasiado lento. El registro en la base de datos está completo.
attention-key-old = La clave de firma es antigua
attention-key-old-advice = Cámbiala en Claves, o define keys.rotate_after.
attention-secret = Caduca el secreto de un cliente
attention-secret-advice = Añade otro secreto en la página del cliente, dáselo a la aplicación y elimina después el antiguo.
attention-job = Ha fallado una tarea
attention-job-advice = Su página dice por qué, en Tareas.
attention-behind = A un servicio le faltan revocaciones
attention-behind-advice = Puede que aún acepte tokens revocados hace un momento. Si persiste, mira su registro y su conexión con este servidor.
attention-stale = Un servicio acepta listas antiguas
attention-stale-advice = Si queda aislado, sigue aceptando tokens revocados. Cambia su ajuste para listas antiguas, a no ser que sea intencionado.
attention-unnamed = Servicios sin nombre
attention-unnamed-advice = Los recibos no pueden estar completos: da un nombre a cada seguidor (servicio e instancia).
attention-silent = Un servidor no responde
attention-silent-advice = No se sabe qué servicios lo siguen. Comprueba si ese servidor funciona.

authorization-server = Servidor de autorización
what-this-is = Este servidor comprueba contraseñas y emite tokens para aplicaciones. Si has perdido un dispositivo, termina su sesión en tu cuenta.
console = Consola
endpoints = Puntos de acceso
door-account = Mira dónde has iniciado sesión, termina una sesión, cambia tu contraseña.
door-console = Para administradores: buscar sesiones, terminarlas y ver quién las rechaza.
door-docs = Para desarrolladores: qué ofrece este servidor, con una página para probarlo.
session-is-over = Tu sesión ha terminado. Lo que ves puede no estar al día.
form-outdated = Este formulario había caducado, o el navegador no ha guardado su cookie. Inicia sesión aquí.

users = Usuarios
clients = Clientes
keys = Claves
event-log = Registro de eventos
jobs = Tareas
session = Sesión
name = Nombre
email = Correo electrónico
roles = Roles
kind = Tipo
grants = Concesiones
serves = Sirve a
description = Descripción
purpose = Uso
algorithm = Algoritmo
created-at = Creación
expires = Caduca
enabled = Activo
disabled = Desactivado
edit = Editar
save = Guardar
saved = Guardado.
remove = Quitar
delete = Borrar
erase = Suprimir sus datos
disable = Desactivar
enable = Activar
unlock = Desbloquear
what-happened = Lo último que pasó

password-again = Tu contraseña otra vez
password-again-why = Esto no se puede deshacer, muestra un secreto o da a alguien poder sobre este servidor. Por eso, demuestra que eres tú. Vale durante diez minutos.
wrong-password-again = La contraseña no es correcta, o ha habido demasiados intentos.
client-secret = Secreto del cliente
secret-once = Solo se muestra aquí. Cópialo ahora en el lugar de donde la aplicación lee sus secretos.
one-time-password = Contraseña de un solo uso
password-once = Solo se muestra aquí. Comunícala al usuario de forma segura. Elegirá la suya al iniciar sesión por primera vez.
changed-meanwhile = Alguien lo ha cambiado mientras lo editabas, así que no se ha guardado nada. Compáralo y guarda otra vez.

name-contains = El nombre contiene
email-contains = El correo contiene
all-users = Mostrar todos los usuarios
users-scanned = Se han mirado { $count } usuarios; puede que coincidan otros más antiguos.
no-users = Ningún usuario coincide.
new-user = Usuario nuevo
create-user = Crear el usuario
email-optional = Correo electrónico (opcional)
scopes-spaces = Ámbitos, separados por espacios
roles-spaces = Roles, separados por espacios (opcional)
declared-scopes = Ámbitos declarados
new-user-password = Se crea una contraseña de un solo uso y se te muestra. El usuario elegirá la suya al iniciar sesión por primera vez.
user-created = Se ha creado { $name }
user-created-next = El usuario puede iniciar sesión con la contraseña de abajo, y después tiene que elegir otra.
edit-user = Editar { $name }
rights-end-sessions = Si el usuario pierde un ámbito, terminan las sesiones que lo tienen. Los nuevos valen desde el próximo inicio de sesión.
must-change-first = Hay que cambiarla antes que nada
export-everything = Exportar todo sobre este usuario
end-all-sessions = Terminar todas las sesiones
make-password = Crear una contraseña de un solo uso
user-enabled = El usuario puede iniciar sesión de nuevo.
user-unlocked = Los inicios fallidos ya no frenan a este usuario.
failed-logins = Inicios de sesión fallidos
failed-logins-number = { $failures } seguidos, desde { $sources ->
    [one] un origen
   *[other] { $sources } orígenes
}
throttled-now = ahora espera, incluso con la contraseña correcta
blocked-now = ahora se rechazan los orígenes nuevos
all-sessions-end = Terminan todas las sesiones de este usuario y todos los servicios rechazan sus tokens.
disable-user = ¿Desactivar a { $name }?
disabled-cannot-sign-in = El usuario no podrá iniciar sesión hasta que lo actives de nuevo.
end-sessions-of = ¿Terminar todas las sesiones de { $name }?
may-sign-in-again = Se puede iniciar sesión de nuevo enseguida.
one-time-password-for = ¿Crear una contraseña de un solo uso para { $name }?
old-password-ends = La contraseña que tiene ahora deja de valer.
password-shown-once = Verás la nueva contraseña una sola vez y se la pasarás al usuario.
delete-user = ¿Borrar a { $name }?
deleted-name-is-free = El nombre queda libre. El registro de eventos conserva lo que pasó. No se puede deshacer.
erase-user = ¿Suprimir los datos de { $name }?
erased-is-deleted = El usuario se borra. No se puede deshacer.
erased-events = Los nombres, direcciones y detalles de esta persona se quitan del registro de eventos.
user-disabled = { $name } está desactivado
user-deleted = Se ha borrado { $name }
user-erased = Se han suprimido los datos del usuario
new-password-of = Contraseña nueva para { $name }

what-clients-are = Un cliente es una aplicación que pide tokens, o un servicio que los comprueba.
no-clients = Todavía no hay ningún cliente.
new-client = Cliente nuevo
create-client = Crear el cliente
client-id = Identificador del cliente
public = público
confidential = confidencial
public-means = Público: una aplicación en los dispositivos de sus usuarios o en un navegador. No tiene secreto.
confidential-means = Confidencial: funciona en un servidor y guarda un secreto.
any-scope = Cualquier ámbito que pueda tener su usuario
or-these-scopes = O solo estos, separados por espacios
grant-password = los usuarios entran con su contraseña
grant-refresh = las sesiones se renuevan
grant-client = actúa por sí mismo, sin usuario
audience-optional = Audiencia de sus tokens (opcional)
default-audience = La del servidor
serves-spaces = Audiencias a las que sirve, separadas por espacios: puede comprobar sus tokens y seguir la lista de revocados
forwards-address = Puede transmitir la dirección de sus usuarios
administration = Administración
may-have-own-scopes = Puede obtener los ámbitos propios del servidor (ficha:…) y, por tanto, administrar
client-created = Se ha creado { $name }
client-created-next = La página siguiente muestra cómo lo usa una aplicación.
client-enabled = El cliente puede obtener tokens de nuevo.
client-rights-end-sessions = Si el cliente pierde un permiso o sus secretos, o cambia su audiencia, terminan todas sus sesiones; antes se te pregunta.
edit-client = Editar { $name }
disable-client = ¿Desactivar { $name }?
disabled-client = No podrá obtener tokens hasta que lo actives de nuevo.
delete-client = ¿Borrar { $name }?
deleted-client = Las aplicaciones que lo usan dejarán de funcionar. No se puede deshacer.
all-sessions-of-client-end = Terminan todas las sesiones de este cliente y todos los servicios rechazan sus tokens.
client-disabled = { $name } está desactivado
client-deleted = Se ha borrado { $name }
secrets = Secretos
never-or-unknown = nunca, o no se sabe
other-secrets = Los secretos que tiene
keep-a-day = valen un día más
keep-an-hour = valen una hora más
keep-a-week = valen una semana más
keep-as-they-are = quedan como están
remove-at-once = se quitan enseguida
new-secret = Secreto nuevo
new-secret-of = Secreto nuevo de { $name }
secret-added = El secreto nuevo vale desde ahora.
remove-secret-of = ¿Quitar un secreto de { $name }?
secret-refused = Desde ahora se rechaza ese secreto.
sessions-go-on = Las sesiones siguen. Si robaron el secreto, termínalas también.
secret-removed = Se ha quitado el secreto.
use-it = Cómo usarlo
use-it-environment = Lo secreto viene del entorno: CLIENT_SECRET y, donde entra un usuario, PASSWORD.

what-scopes-are = Un ámbito es algo que un token puede permitir. Su descripción dice a los desarrolladores para qué sirve.
declare-scope = Declarar un ámbito
remove-scope = ¿Quitar { $name }?
scope-stays-with-users = Los usuarios y clientes que lo tienen lo conservan. Solo desaparece su descripción.
scope-removed = El ámbito ya no está declarado.
description-rules = Una descripción tiene de 1 a 500 caracteres.

signs-from = Firma desde
key-next = Publicada, firmará pronto
key-current = En uso
key-old = Sus tokens aún valen
key-purged = Purgada
rotate = Rotar la clave de firma
rotate-means = Se publica ahora una clave nueva, que firmará en unos minutos, cuando todos los servicios hayan podido obtenerla. Nadie lo nota.
key-rotated = Se ha publicado una clave nueva. Firmará pronto.
purge = Purgar todas las claves
purge-means = Tras una filtración de claves o de la base de datos: se sustituyen todas las claves, terminan todas las sesiones de todos, y todos los servicios rechazan todos los tokens.
purge-question = ¿Purgar todas las claves?
purge-all = Terminan todas las sesiones de todos los usuarios y clientes.
purge-keys = Se sustituyen todas las claves, y todos los servicios rechazan todos los tokens emitidos hasta ahora.
purge-you = También se cerrará tu sesión.
purged = Se han purgado todas las claves
purged-next = Han terminado todas las sesiones. Todos tienen que iniciar sesión de nuevo, también tú.

what-services-are = Los servicios siguen la lista de revocados y así rechazan los tokens revocados sin preguntar en cada petición.
lease = Plazo
seconds = { $count } s

event = Evento
done-by = Hecho por
session-id = Identificador de sesión
since = Desde (UTC)
until = Hasta (UTC)
all-events = Mostrar todos los eventos
no-events = Ningún evento coincide.
events-scanned = Se han mirado { $count } eventos; puede que coincidan otros más antiguos.
event-login-succeeded = Inicio de sesión
event-login-failed = Inicio de sesión fallido
event-refresh-retried = Se repitió una renovación perdida
event-refresh-replayed = Un token de renovación se usó dos veces, así que terminó su sesión
event-refresh-ahead = Un token de renovación era más nuevo que la base de datos
event-session-revoked = Se terminó una sesión
event-sessions-revoked = Se terminaron sesiones
event-logged-out = Cierre de sesión
event-token-revoked = Se revocó un token
event-user-created = Se creó la cuenta
event-user-changed = Se cambió la cuenta
event-user-disabled = Se desactivó la cuenta
event-user-enabled = Se activó la cuenta
event-user-deleted = Se borró la cuenta
event-user-erased = Se suprimieron los datos del usuario
event-password-changed = Se cambió la contraseña
event-user-unlocked = Se desbloqueó la cuenta
event-client-created = Se creó un cliente
event-client-changed = Se cambió un cliente
event-client-disabled = Se desactivó un cliente
event-client-enabled = Se activó un cliente
event-client-deleted = Se borró un cliente
event-secret-added = Un cliente recibió un secreto
event-secret-removed = Se quitó un secreto de un cliente
event-scope-declared = Se declaró un ámbito
event-scope-removed = Se quitó un ámbito
event-key-rotated = Se rotó la clave de firma
event-key-purged = Se purgaron todas las claves
event-admin-read = Un administrador leyó algo
event-history-changed = La base de datos tiene otra historia
event-job-accepted = Empezó una tarea
event-job-stopped = Se detuvo una tarea

what-jobs-are = Importaciones de usuarios y revocaciones de muchísimas sesiones. Una revocación sigue aunque cierres la sesión, y aunque se pare un servidor. Una importación se detiene cuando termina la sesión de quien la empezó.
no-jobs = Todavía no ha habido ninguna tarea.
progress = Progreso
begun = Comienzo
finished = Final
error = Error
job-import = Importación de usuarios
job-revoke = Fin de muchas sesiones
job-waiting = En espera
job-running = En marcha
job-done = Terminada
job-failed = Fallida
job-stopped = Detenida
job-progress = { $done } de { $total }, { $failed } fallidos
stop-job = Detenerla
unusable-lines = Líneas que no se pudieron usar
line = Línea { $number }:

what-happened-to-me = Qué ha pasado en mi cuenta
console-is-off = La consola está desactivada: su cliente fue desactivado o borrado. En el servidor, ejecuta: ficha client enable ficha-console
nothing-selected = No se ha seleccionado nada
select-first = No se ha terminado nada. Vuelve atrás y selecciona al menos una sesión.
yours-is-spared = La sesión que estás usando ahora se conserva.
refreshed-after = Último uso después de (UTC)
refreshed-before = Último uso antes de (UTC)
reason = Por qué terminó
none-looked-at = Ninguna entre las que se han mirado. Continúa con las más antiguas.
end-this = Terminar la sesión
services-now = Lo que rechazan los servicios
services-now-means = Todo lo que se ha terminado hasta este momento.
ask-again = Preguntar otra vez
welcome = Primeros pasos
welcome-means = Se marcan cuando se hacen.
step-user = Crear el primer usuario
step-client = Crear un cliente para tu aplicación
step-service = Hacer que un servicio siga la lista de revocados, para que rechace los tokens revocados
step-done = (hecho)
last-administrator = No quedaría nadie que pueda administrarlo todo
last-administrator-advice = Da primero el ámbito ficha:admin a otro usuario activo. No se ha cambiado nada.
changed-since-shown = No se ha hecho nada: ha cambiado desde que se mostró la página, quizá por este mismo formulario. Vuelve a mirarlo. Un secreto que no hayas visto se puede sustituir por otro nuevo.
this-is-you = Es tu propia cuenta: se cerrará tu sesión.
scopes-malformed = Un ámbito se compone de caracteres ASCII imprimibles, sin comillas ni barras inversas. Separa los ámbitos con espacios.
as-it-is-now = Esto es lo que hay ahora:
narrow-client = ¿Quitarle algo a { $name }?
client-narrowed = Han terminado todas las sesiones del cliente.
client-confidential = El cliente es confidencial ahora. Sus aplicaciones tienen que enviar este secreto; sin él no pueden renovar sus tokens.
replace-secret-of = ¿Sustituir todos los secretos de { $name }?
secrets-refused-at-once = Los secretos que tiene se rechazan enseguida: las aplicaciones que los usan dejan de funcionar hasta que reciban el nuevo.
look-again = Mirar otra vez
first-lines-only = Solo se muestran las primeras líneas. La API de administración tiene más.
first-page = Primera página
next-page = Página siguiente
from-id = Empezar por el identificador

has-more-rights = No puedes hacer cambios aquí: esta cuenta o este cliente tiene permisos sobre el servidor que tú no tienes.
apps-go-on = Una aplicación que actúa por sí misma obtiene otro token enseguida. Para excluirla, desactívala o elimina su secreto.
another-import = Se está leyendo otra importación
another-import-advice = No se ha importado nada de tu archivo. Inténtalo de nuevo en un momento.
look-at-it = Verlo
name-taken = { $name } ya existe. Elige otro nombre.
more-than-you-may = Eso es más de lo que puedes conceder o cambiar.
user-rules = Un nombre de usuario tiene de 1 a 256 bytes, no se parece a un identificador, y no tiene caracteres de control ni espacios al principio o al final. Los roles son ASCII imprimible sin espacios. Una dirección de correo no tiene caracteres de control.
client-rules = Este cliente no se puede guardar así. El identificador de un cliente tiene de 1 a 128 caracteres ASCII imprimibles, sin espacios al principio o al final.
filter-unknown = { $field }: no existe tal filtro.
filter-address = { $field }: escribe una dirección o una red, como 192.0.2.7 o 192.0.2.0/24.
filter-time = { $field }: elige una fecha y una hora.
filter-id = { $field }: escribe el identificador de una sesión.
filter-wrong = { $field }: esto no se puede buscar.

import-users = Importar usuarios
import-what = Un archivo con una cabecera y un usuario en cada línea, o un objeto JSON por línea. Los hashes de las contraseñas son los de tu sistema anterior; los usuarios conservan sus contraseñas.
import-lines = Una línea que no se puede usar se omite y aparece en el informe. Los usuarios cuyo nombre ya existe quedan como están, así que puedes importar un archivo otra vez. Como máximo 64 MiB. No cierres la sesión hasta que acabe: se detiene cuando tu sesión termina.
your-password = Tu contraseña
import-file = Archivo (.csv o .jsonl)
import = Importar
password-for-import = Escribe también tu contraseña, y elige el archivo otra vez.
import-file-name = Elige un archivo cuyo nombre termine en .csv o .jsonl.
import-refused = Este archivo no se puede importar.
