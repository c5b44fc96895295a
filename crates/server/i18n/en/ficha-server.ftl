# The pages of Ficha.

skip = Skip to the content
menu = Main menu
sessions = Sessions
my-account = My account
sign-out = Sign out
preferences = Language and theme
language = Language
theme = Theme
theme-light = Light
theme-dark = Dark
theme-system = Same as system
pages = Pages
to-the-console = Go to the start page
one-moment = One moment
go-on = Continue

sign-in = Sign in
user-name = User name
password = Password
signed-out = You are signed out.
password-changed-sign-in = Your password was changed, and all your sessions have ended. Sign in with the new one.
wrong-password = The user name or the password is wrong, or there were too many attempts. Check both, or try again in a few minutes.
nothing-here = The password is right, but this account may not use these pages. Ask an administrator for the scope ficha:account.
too-many-sign-ins = Too many people are signing in at this moment. Try again in a few seconds.

foreign-form = This form was not sent from this page
foreign-form-advice = Nothing was changed. Perhaps you signed in again in another tab, or cookies are off. Open the page again, and send the form from there.
forbidden = You may not do this
forbidden-advice = Your account does not have the scope that is needed. An administrator who holds ficha:admin can give it to you.
not-found = There is nothing here
not-found-advice = It was deleted, it never was, or the address is wrong.
conflict = This is not possible now
conflict-advice = It may have changed meanwhile, or something else stands against it. Look at it again.
misdirected = This is not the address of this server
misdirected-advice = Open these pages at { $site }. A proxy in between must pass on the Host header.
unavailable = The server can't answer right now
unavailable-advice = It can't reach its database, or it is busy. If you changed something, it may or may not have happened: look again in a moment.
failed = The server has failed
failed-advice = Its log says why.
invalid = Something is wrong with what was sent
invalid-advice = Nothing was changed. Go back, and check what you typed.

seconds-ago = { $count ->
    [0] just now
    [one] { $count } second ago
   *[other] { $count } seconds ago
}
minutes-ago = { $count ->
    [one] { $count } minute ago
   *[other] { $count } minutes ago
}
hours-ago = { $count ->
    [one] { $count } hour ago
   *[other] { $count } hours ago
}
days-ago = { $count ->
    [one] { $count } day ago
   *[other] { $count } days ago
}
in-seconds = { $count ->
    [one] in { $count } second
   *[other] in { $count } seconds
}
in-minutes = { $count ->
    [one] in { $count } minute
   *[other] in { $count } minutes
}
in-hours = { $count ->
    [one] in { $count } hour
   *[other] in { $count } hours
}
in-days = { $count ->
    [one] in { $count } day
   *[other] in { $count } days
}

user = User
client = Client
address = Address
device = Device
state = State
any = Any
state-live = Live
state-expired = Expired
state-revoked = Revoked
scope = Scope
scopes = Scopes
audience = Audience
created = Signed in
created-after = Signed in after (UTC)
created-before = Signed in before (UTC)
last-used = Last used
id = Id
ended = Ended
more-filters = More filters
user-agent-contains = User agent contains
search = Search
all-sessions = Show all sessions
select = Select
select-session-of = Select the session of { $name }
this-session = This session
no-sessions = No session matches. Check the filter, or show all sessions.
sessions-count = { $count ->
    [one] { $count } session.
   *[other] { $count } sessions.
}
sessions-at-least = At least { $count } sessions.
scanned = { $count } sessions were looked at; older ones may match too.
newer = Newer
older = Older
end-selected = End the selected sessions
end-all-matching = End all that match
client-itself = (the client itself)
unknown-device = Unknown device
unknown-address = unknown
session-of = Session of { $name }
ends-unless-used = Ends unless it is used
ends-in-any-case = Ends at the latest

end-session = End session
end-session-of = End the session of { $name }?
end-it = End it now
end-sessions = End sessions
end-them = End them now
cancel = Cancel
what-happens = What happens
tokens-refused = Every service refuses the access tokens of what is ended, usually within a quarter of a second.
must-sign-in-again = Nothing can be refreshed any more: to go on, the user must sign in again.
services-told = { $count ->
    [one] One service follows:
   *[other] { $count } services follow:
}
this-is-yours = This is the session that you are using now. You will be signed out.
why-for-the-log = Why (for the event log; optional)
will-end-selected = { $count ->
    [0] None of the selected sessions is left to end.
    [one] One selected session will end.
   *[other] { $count } selected sessions will end.
}
will-end-matching = { $count ->
    [0] { $all } sessions match, and none of them is left to end.
    [one] { $all ->
        [one] One session matches, and will end.
       *[other] { $all } sessions match. One of them has not been ended, and will end.
    }
   *[other] { $all } sessions match. { $count } of them have not been ended, and will end.
}
whose = Whose they are
as-many-sessions = { $count ->
    [one] { $count } session
   *[other] { $count } sessions
}
of-other-users = { $count ->
    [one] One other user
   *[other] { $count } other users
}
of-clients = { $count ->
    [one] One session of an app that acts for itself
   *[other] { $count } sessions of apps that act for themselves
}
more-by-now = Nothing was ended: more sessions match by now than this page had shown. Look at the new number.
session-ended = The session has ended.
session-had-ended = The session had already ended.
sessions-ended = { $count ->
    [0] No session was left to end.
    [one] One session has ended.
   *[other] { $count } sessions have ended.
}
a-job-ends-them = { $count } sessions match. A job is ending them; it goes on if you close this page.
back-to-the-list = Back to the list

who-refuses = Who refuses their tokens now
receipt-complete = { $count ->
    [0] Every service refuses their tokens.
    [one] The service refuses their tokens.
   *[other] All { $count } services refuse their tokens.
}
receipt-no-services = No service follows this server at the moment. A service that connects learns of it first.
receipt-incomplete = Not every service has confirmed yet.
applied-after = refuses them, seen after { $milliseconds } ms
applied = refuses them
behind = has not confirmed yet.
cut-off = is cut off, and refuses every token since
accepts-stale = may not know of it, and was set up to go on accepting tokens.
refuses-from = It refuses every token at the latest:
unnamed = { $count ->
    [one] One follower has not named itself, so nothing is known about it.
   *[other] { $count } followers have not named themselves, so nothing is known about them.
}
silent = { $count ->
    [one] One server has not answered, so nothing is known about its followers.
   *[other] { $count } servers have not answered, so nothing is known about their followers.
}

reason-logout = Signed out by its user
reason-replay = A refresh token was used twice: it may have been stolen
reason-future-generation = The database was restored from a backup
reason-admin = Ended by an administrator
reason-password-changed = The password was changed
reason-rights-changed = The user or the client lost rights
reason-user-disabled = The user was disabled or deleted
reason-client-revoked = The client was disabled, deleted or revoked
reason-purge = Every session was ended
by-command-line = { $name }, on the command line
by-server = the server
by-unknown = somebody unknown

where-signed-in = Where you are signed in
sign-out-here = Sign out here
end-all-others = End all others
change-password = Change password
password-must-change = The password that you were given is for one use. Choose your own to go on.
old-password = Current password
new-password = New password
repeated-password = New password again
password-rules = At least { $count } characters. Spaces are welcome: several words are easy to remember.
password-ends-sessions = All your sessions end, this one too, and you sign in again.
passwords-differ = The two new passwords differ.
wrong-old-password = The current password is wrong, or there were too many attempts. Check it, or try again in a few minutes.
same-password = The new password is the same as the current one.
password-too-short = The new password must have at least { $count } characters.
password-too-long = The new password is too long.
password-common = The new password is too common. Choose several words that do not belong together.
password-simple = The new password is too simple: it repeats itself, or is a sequence of keys.
password-name = The new password must not be based on your user name or on the name of this service.

overview = Overview
needs-attention = What needs attention
nothing-needs-attention = Nothing. All is well.
live-sessions = Live sessions
services-current = Services up to date
of-all = { $count } of { $all }
number = { $count }
at-least = at least { $count }
milliseconds = { $count } ms
denylist-entries = Entries of the denylist
key-signs-since = Current signing key since
range = Range
last-hour = Last hour
last-day = Last 24 hours
last-week = Last 7 days
last-month = Last 30 days
logins = Sign-ins
login-failures = Failed sign-ins
refreshes = Refreshes
revocations = Revocations
plot-label = { $title }: { $total } in all, at most { $most } in one step. The table below has each number.
as-a-table = As a table
time = Time (UTC)
services = Services
service = Service
no-services = No service follows this server at the moment.
lag = Behind by
last-seen = Last seen
service-current = Up to date
service-behind = Behind
service-cut-off = Cut off: refuses everything
service-stale = Accepts stale lists
attention-database-refuses = The database takes no changes
attention-database-refuses-advice = Nothing can be changed or revoked until it does. Look for a full disk, a read-only file system or a standby.
attention-database-lost = The database has lost changes
attention-database-lost-advice = Restore it from a backup or a replica, then run ficha recover.
attention-clock = The clock was changed
attention-clock-advice = Check that it is right now, and that NTP sets it. Until it is certain, sessions that may have expired can't be refreshed.
attention-event-lines = Lines of the event log are lost
attention-event-lines-advice = What reads the lines of the event log is too slow. The event log in the database is complete.
attention-key-old = The signing key is old
attention-key-old-advice = Rotate it under Keys, or set keys.rotate_after.
attention-secret = A client's secret expires
attention-secret-advice = Add another secret on the client's page, give it to the application, then remove the old one.
attention-job = A job has failed
attention-job-advice = Its page says why, under Jobs.
attention-behind = A service is missing revocations
attention-behind-advice = It may still accept tokens that were revoked a moment ago. If this stays, look at its log and its connection to this server.
attention-stale = A service accepts stale lists
attention-stale-advice = If it is cut off, it goes on accepting revoked tokens. Change its setting for stale lists, unless that is intended.
attention-unnamed = Services without a name
attention-unnamed-advice = Receipts can't be complete: give each follower a name (service and instance).
attention-silent = A server does not answer
attention-silent-advice = What follows it is not known. Look whether that server runs.

authorization-server = Authorization server
what-this-is = This server checks passwords and issues tokens to apps. If you lost a device, end its session in your account.
console = Console
endpoints = Endpoints
door-account = See where you are signed in, end a session, change your password.
door-console = For administrators: find sessions, end them, and see who refuses them.
door-docs = For developers: what this server offers, with a page to try it.
session-is-over = Your session has ended. What you see may be out of date.
form-outdated = This form was out of date, or your browser has not kept its cookie. Please sign in here.

users = Users
clients = Clients
keys = Keys
event-log = Event log
jobs = Jobs
session = Session
name = Name
email = E-mail address
roles = Roles
kind = Kind
grants = Grants
serves = Serves
description = Description
purpose = Purpose
algorithm = Algorithm
created-at = Created
expires = Expires
enabled = Enabled
disabled = Disabled
edit = Edit
save = Save
saved = Saved.
remove = Remove
delete = Delete
erase = Erase
disable = Disable
enable = Enable
unlock = Unlock
what-happened = What happened last

password-again = Your password again
password-again-why = This can't be undone, shows a secret, or gives somebody power over this server. So show that it is you who is sitting there. It counts for ten minutes.
wrong-password-again = The password is wrong, or there were too many attempts.
client-secret = Client secret
secret-once = It is shown only here. Copy it now to where the application reads its secrets.
one-time-password = Password for one use
password-once = It is shown only here. Tell it to the user in a safe way. They choose their own at the first sign-in.
changed-meanwhile = Somebody has changed this while you were editing, so nothing was saved. Compare, and save again.

name-contains = Name contains
email-contains = E-mail address contains
all-users = Show all users
users-scanned = { $count } users were looked at; older ones may match too.
no-users = No user matches.
new-user = New user
create-user = Create the user
email-optional = E-mail address (optional)
scopes-spaces = Scopes, with spaces between them
roles-spaces = Roles, with spaces between them (optional)
declared-scopes = Declared scopes
new-user-password = A password for one use is made and shown to you. The user chooses their own at the first sign-in.
user-created = { $name } was created
user-created-next = The user can sign in with the password below, and then has to choose another.
edit-user = Edit { $name }
rights-end-sessions = If the user loses a scope, sessions that have it end. New scopes count from the next sign-in on.
must-change-first = Has to be changed before anything else
export-everything = Export everything about this user
end-all-sessions = End all sessions
make-password = Make a password for one use
user-enabled = The user can sign in again.
user-unlocked = Failed sign-ins no longer slow this user down.
failed-logins = Failed sign-ins
failed-logins-number = { $failures } in a row, from { $sources ->
    [one] one source
   *[other] { $sources } sources
}
throttled-now = waits at the moment, even with the right password
blocked-now = new sources are refused at the moment
all-sessions-end = All sessions of this user end, and every service refuses their tokens.
disable-user = Disable { $name }?
disabled-cannot-sign-in = The user can't sign in until you enable them again.
end-sessions-of = End all sessions of { $name }?
may-sign-in-again = Signing in again is possible at once.
one-time-password-for = Make a password for one use for { $name }?
old-password-ends = The password that the user has now stops working.
password-shown-once = You see the new password once, and pass it on to the user.
delete-user = Delete { $name }?
deleted-name-is-free = The name is free again. The event log keeps what happened. This can't be undone.
erase-user = Erase { $name }?
erased-is-deleted = The user is deleted. This can't be undone.
erased-events = Names, addresses and details of this person are removed from the event log.
user-disabled = { $name } is disabled
user-deleted = { $name } was deleted
user-erased = The user was erased
new-password-of = New password for { $name }

what-clients-are = A client is an application that asks for tokens, or a service that checks them.
no-clients = There is no client yet.
new-client = New client
create-client = Create the client
client-id = Client id
public = public
confidential = confidential
public-means = Public: an app on its users' devices, or in a browser. It has no secret.
confidential-means = Confidential: it runs on a server and keeps a secret.
any-scope = Any scope that its user may have
or-these-scopes = Or only these, with spaces between them
grant-password = users sign in with their password
grant-refresh = sessions are refreshed
grant-client = it acts for itself, without a user
audience-optional = Audience of its tokens (optional)
default-audience = The server's default
serves-spaces = Audiences that it serves, with spaces between them: it may check their tokens and follow the denylist
forwards-address = It may forward the address of its users
administration = Administration
may-have-own-scopes = It may obtain the server's own scopes (ficha:…), and so administer
client-created = { $name } was created
client-created-next = The next page shows how an application uses it.
client-enabled = The client can obtain tokens again.
client-rights-end-sessions = If the client loses a right or its secrets, or its audience changes, all its sessions end; you are asked first.
edit-client = Edit { $name }
disable-client = Disable { $name }?
disabled-client = It can't obtain tokens until you enable it again.
delete-client = Delete { $name }?
deleted-client = Applications that use it stop working. This can't be undone.
all-sessions-of-client-end = All sessions of this client end, and every service refuses their tokens.
client-disabled = { $name } is disabled
client-deleted = { $name } was deleted
secrets = Secrets
never-or-unknown = never, or not known
other-secrets = The secrets that it has
keep-a-day = go on for a day
keep-an-hour = go on for an hour
keep-a-week = go on for a week
keep-as-they-are = stay as they are
remove-at-once = are removed at once
new-secret = New secret
new-secret-of = New secret of { $name }
secret-added = The new secret is valid from now on.
remove-secret-of = Remove a secret of { $name }?
secret-refused = From now on the secret is refused.
sessions-go-on = Sessions go on. If the secret was stolen, end them as well.
secret-removed = The secret was removed.
use-it = Use it
use-it-environment = What is secret comes from the environment: CLIENT_SECRET, and PASSWORD where a user signs in.

what-scopes-are = A scope is something that a token may allow. Its description tells developers what it is for.
declare-scope = Declare a scope
remove-scope = Remove { $name }?
scope-stays-with-users = Users and clients that have the scope keep it. Only its description goes.
scope-removed = The scope is no longer declared.
description-rules = A description is 1 to 500 characters.

signs-from = Signs from
key-next = Published, signs soon
key-current = In use
key-old = Its tokens are still valid
key-purged = Purged
rotate = Rotate the signing key
rotate-means = A new key is published now and signs in some minutes, once every service may have fetched it. Nobody notices.
key-rotated = A new key is published. It signs soon.
purge = Purge all keys
purge-means = After a leak of keys or of the database: all keys are replaced, every session of everybody ends, and every service refuses every token.
purge-question = Purge all keys?
purge-all = Every session of every user and client ends.
purge-keys = All keys are replaced, and every service refuses every token that was issued until now.
purge-you = You will be signed out, too.
purged = All keys were purged
purged-next = Every session has ended. Everybody signs in again, and so do you.

what-services-are = Services follow the denylist, so that they refuse revoked tokens without asking for each request.
lease = Lease
seconds = { $count } s

event = Event
done-by = Done by
session-id = Session id
since = Since (UTC)
until = Until (UTC)
all-events = Show all events
no-events = No event matches.
events-scanned = { $count } events were looked at; older ones may match too.
event-login-succeeded = Signed in
event-login-failed = Sign-in failed
event-refresh-retried = A lost refresh was repeated
event-refresh-replayed = A refresh token was used twice, so its session was ended
event-refresh-ahead = A refresh token was newer than the database
event-session-revoked = A session was ended
event-sessions-revoked = Sessions were ended
event-logged-out = Signed out
event-token-revoked = A token was revoked
event-user-created = The account was created
event-user-changed = The account was changed
event-user-disabled = The account was disabled
event-user-enabled = The account was enabled
event-user-deleted = The account was deleted
event-user-erased = What was known of the user was erased
event-password-changed = The password was changed
event-user-unlocked = The account was unlocked
event-client-created = A client was created
event-client-changed = A client was changed
event-client-disabled = A client was disabled
event-client-enabled = A client was enabled
event-client-deleted = A client was deleted
event-secret-added = A client got a secret
event-secret-removed = A secret of a client was removed
event-scope-declared = A scope was declared
event-scope-removed = A scope was removed
event-key-rotated = The signing key was rotated
event-key-purged = All keys were purged
event-admin-read = An administrator has read something
event-history-changed = The database has another history
event-job-accepted = A job was begun
event-job-stopped = A job was stopped

what-jobs-are = Imports of users, and revocations of very many sessions. A revocation goes on if you sign out, and if a server stops. An import stops when the session of who started it ends.
no-jobs = There was no job yet.
progress = Progress
begun = Begun
finished = Finished
error = Error
job-import = Import of users
job-revoke = End of many sessions
job-waiting = Waiting
job-running = Running
job-done = Done
job-failed = Failed
job-stopped = Stopped
job-progress = { $done } of { $total }, { $failed } of them failed
stop-job = Stop it
unusable-lines = Lines that could not be used
line = Line { $number }:

what-happened-to-me = What happened to my account
console-is-off = The console is turned off: its client was disabled or removed. On the server, run: ficha client enable ficha-console
nothing-selected = Nothing was selected
select-first = Nothing was ended. Go back, and select at least one session.
yours-is-spared = The session that you are using now is spared.
refreshed-after = Last used after (UTC)
refreshed-before = Last used before (UTC)
reason = Why it ended
none-looked-at = None among those that were looked at. Continue with the older ones.
end-this = End session
services-now = What the services refuse
services-now-means = Everything that was ended until this moment.
ask-again = Ask again
welcome = First steps
welcome-means = They are ticked off as they happen.
step-user = Create the first user
step-client = Create a client for your application
step-service = Let a service follow the denylist, so that it refuses revoked tokens
step-done = (done)
last-administrator = Nobody would be left who may administer everything
last-administrator-advice = Give the scope ficha:admin to another enabled user first. Nothing was changed.
changed-since-shown = Nothing was done: it has changed since the page was shown, perhaps by this very form. Look at it again. A secret that you missed can be replaced by a new one.
this-is-you = This is your own account: you will be signed out.
scopes-malformed = A scope is made of printable ASCII characters without quotes and backslashes. Put spaces between scopes.
as-it-is-now = This is what is there now:
narrow-client = Take something from { $name }?
client-narrowed = All sessions of the client have ended.
client-confidential = The client is confidential now. Its applications must send this secret; without it, they can't refresh.
replace-secret-of = Replace all secrets of { $name }?
secrets-refused-at-once = The secrets that it has are refused at once: applications that use them stop working until they get the new one.
look-again = Look again
first-lines-only = Only the first lines are shown. The admin API has more.
first-page = First page
next-page = Next page
from-id = Begin with the id

has-more-rights = You can't make changes here: this account or client has rights over the server that you don't hold.
apps-go-on = An app that acts for itself gets a new token at once. To lock it out, disable it or remove its secret.
another-import = Another import is being read
another-import-advice = Nothing was imported from your file. Try again in a moment.
look-at-it = Look at it
name-taken = { $name } already exists. Choose another name.
more-than-you-may = That is more than you may grant or change.
user-rules = A user name has 1 to 256 bytes, does not look like an id, and has no control characters and no space at either end. Roles are printable ASCII without spaces. An e-mail address has no control characters.
client-rules = This client can't be saved as it is. A client id is 1 to 128 printable ASCII characters, without a space at either end.
filter-unknown = { $field }: there is no such filter.
filter-address = { $field }: type an address or a network, such as 192.0.2.7 or 192.0.2.0/24.
filter-time = { $field }: choose a date and a time.
filter-id = { $field }: type the id of a session.
filter-wrong = { $field }: this can't be searched for.

import-users = Import users
import-what = A file with a header and a user on each line, or one JSON object a line. The password hashes are those of your former system; the users keep their passwords.
import-lines = A line that can't be used is left out and reported. Users whose name is taken are left as they are, so that you can import a file again. At most 64 MiB. Stay signed in until it is done: it stops when your session ends.
your-password = Your password
import-file = File (.csv or .jsonl)
import = Import
password-for-import = Type your password as well, and choose the file again.
import-file-name = Choose a file whose name ends in .csv or .jsonl.
import-refused = This file can't be imported.
