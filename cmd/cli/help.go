package cli

// Help says how the command line is used.
const Help = `A command line for any server that speaks ZooKeeper's protocol, in zkCli.sh's words.

  zooraft cli [options]                a prompt, or commands from a pipe, one a line
  zooraft cli [options] COMMAND ARGS   one command; its exit code is the process's

Options stand before the command, with one dash or two:
  -server HOST:PORT[,...][/CHROOT]  localhost:2181 by default
  -timeout MS                       session timeout, 30000 by default
  -r                                take servers that have lost their quorum, too
  -waitforconnection                wait until connected before anything else
  -client-configuration FILE        ZooKeeper's client properties, TLS and SASL included
  -json                             results, and errors, as JSON, one value a line
  -y                                do not ask before a recursive delete

Read:    ls [-s] [-w] [-R] PATH         get [-s] [-w] [-b] [-x] PATH    stat [-w] PATH
         tree [-L N] [-s] PATH          du [-L N] PATH                  getAcl [-s] PATH
         find PATH [-name GLOB] [-data TEXT] [-min BYTES] [-e]
         watch PATH                     follow all changes below it until Ctrl-C
         diff HOST:PORT [PATH]          what another server has otherwise
         getAllChildrenNumber PATH      getEphemerals [PATH]            sync PATH
Change:  create [-s] [-e] [-c] [-t MS] PATH [DATA] [ACL]                delete [-v N] PATH
         set PATH DATA [-s] [-v N] [-b] edit PATH                       deleteall PATH [-b N]
         cp [-R] FROM TO                mv FROM TO                      setAcl [-s] [-v N] [-R] PATH ACL
         export [-d] PATH [FILE]        import [-f] FILE PATH           JSON lines, or with -d files
Quotas:  setquota -n|-b|-N|-B N PATH    listquota PATH                  delquota [-n|-b|-N|-B] PATH
Watches: addWatch [-m MODE] PATH        removewatches PATH [-c|-d|-p|-r|-a] [-l]
         printwatches on|off
Session: addauth SCHEME AUTH            whoami                          connect [HOST:PORT]    close
         config [-c] [-w] [-s]          reconfig ...                    version
Prompt:  history    redo N    help [COMMAND]    quit
         Tab completes, Ctrl-R searches the history for what is typed, Ctrl-C clears the line
`
