use strict;
use warnings;
use Crypt::JWT qw(decode_jwt);
use HTTP::Tiny;
use JSON::PP qw(decode_json encode_json);

my $keys = decode_json(HTTP::Tiny->new->get("$ENV{ISSUER}/.well-known/jwks.json")->{content});
my %rules = (accepted_alg => "ES256", verify_iss => $ENV{ISSUER}, verify_aud => $ENV{AUDIENCE}, verify_exp => 1);

sub accepts {
    my ($token) = @_;
    return !!eval { decode_jwt(token => $token, kid_keys => $keys, %rules) };
}

sub json { return $_[0] ? JSON::PP::true : JSON::PP::false }

my %did = (
    accepts => json(accepts($ENV{TOKEN})),
    foreign => json(!accepts($ENV{FOREIGN})),
    revoked => json(!accepts($ENV{REVOKED})),
);
print encode_json({ package => "Crypt::JWT", version => $Crypt::JWT::VERSION, did => \%did }), "\n";
