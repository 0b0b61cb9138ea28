#!/usr/bin/perl
# Prints every sale once. Debian: apt-get install mosquitto-clients libdata-messagepack-perl
#
#   mosquitto_sub -h localhost -q 1 -t 'vend/v1/+/sale' -F '%t %x' | perl docs/examples/sales.pl
#
# A line on stdin is a topic and a payload in hex. A sale comes again until it is confirmed: its machine, epoch and
# seq tell whether it is a new one.
use strict;
use warnings;
use Data::MessagePack;
use POSIX qw(strftime);

$| = 1;
binmode STDOUT, ':encoding(UTF-8)';
my $reader = Data::MessagePack->new->utf8;
my %seen;

while (my $line = <STDIN>) {
    my ($topic, $payload) = split ' ', $line;
    my $sales = eval { $reader->unpack(pack 'H*', $payload // '') };
    if (ref $sales ne 'ARRAY') {
        warn "$topic: not a list of sales\n";
        next;
    }
    for my $sale (@$sales) {
        if ($sale->{v} != 1) {
            warn "$topic: version $sale->{v}; this reads 1\n";
            next;
        }
        next if $seen{"$sale->{machine} $sale->{epoch} $sale->{seq}"}++;
        my $at = strftime '%Y-%m-%d %H:%M:%S', gmtime int($sale->{at_ns} / 1_000_000_000);
        my $tenders = join ', ', map { $_->{tender} } @{ $sale->{tenders} };
        print "$at $sale->{machine} #$sale->{seq}: $sale->{product} from $sale->{slot}, ",
            "$sale->{paid_minor} minor units $sale->{currency} by $tenders\n";
    }
}
