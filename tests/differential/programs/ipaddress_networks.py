import ipaddress as ip
n = ip.ip_network("192.168.1.0/29")
print(n.num_addresses, list(n.hosts()), n.broadcast_address, n.netmask, ip.ip_address("192.168.1.3") in n, [str(x) for x in n.subnets(1)])
print(ip.ip_address("::1").is_loopback, ip.ip_address("10.0.0.1").is_private, ip.ip_address("2001:db8::1").exploded, int(ip.ip_address("1.2.3.4")), ip.ip_address(2**32 - 1))
for bad in ("1.2.3", "1.2.3.4/33", "x"):
    try: ip.ip_interface(bad)
    except ValueError as e: print(type(e).__name__)
print(ip.collapse_addresses([ip.ip_network("10.0.0.0/25"), ip.ip_network("10.0.0.128/25")]).__next__(), ip.ip_network("10.0.0.5/24", strict=False))
