/* Settings of lwIP for a client of DHCP alone, on one thread without an operating system. */
#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_SOCKET 0
#define LWIP_NETCONN 0
#define LWIP_IPV4 1
#define LWIP_IPV6 0
#define LWIP_ARP 1
#define LWIP_ETHERNET 1
#define LWIP_ICMP 1
#define LWIP_RAW 0
#define LWIP_TCP 0
#define LWIP_UDP 1
#define LWIP_DHCP 1
#define LWIP_DHCP_DOES_ACD_CHECK 0
#define LWIP_ACD 0
#define LWIP_STATS 0
#define LWIP_NETIF_STATUS_CALLBACK 1
#define MEM_ALIGNMENT 8
/* The timer of leases runs once a second instead of once a minute, which leases of seconds need. */
#define DHCP_COARSE_TIMER_SECS 1
