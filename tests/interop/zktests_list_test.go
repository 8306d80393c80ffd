//go:build interop

package interop

// zooKeeperTests are the classes that TestZooKeeperTests runs, under org.apache.zookeeper.
var zooKeeperTests = []string{
	"ClientReconnectTest",
	"GetAllChildrenNumberTest",
	"GetEphemeralsTest",
	"RemoveWatchesCmdTest",
	"RemoveWatchesTest",
	"ZooKeeperTest",
	"server.CreateContainerTest",
	"server.CreateTTLTest",
	"test.ACLRootTest",
	"test.ACLTest",
	"test.AsyncOpsTest",
	"test.AuthSHA2Test",
	"test.AuthSHA3Test",
	"test.AuthTest",
	"test.BufferSizeTest",
	"test.CheckTest",
	"test.ChrootAsyncTest",
	"test.ChrootClientTest",
	"test.ChrootTest",
	"test.ClientHammerTest",
	"test.ClientPortBindTest",
	"test.ClientRetryTest",
	"test.ClientSkipACLTest",
	"test.ClientTest",
	"test.CreateTest",
	"test.DigestAuthDisabledTest",
	"test.DisconnectedWatcherTest",
	"test.EnforceQuotaTest",
	"test.EnsembleAuthTest",
	"test.FourLetterWordsTest",
	"test.FourLetterWordsWhiteListTest",
	"test.GetChildren2Test",
	"test.MaxCnxnsTest",
	"test.MultiAsyncTransactionTest",
	"test.MultiOperationTest",
	"test.NullDataTest",
	"test.PersistentRecursiveWatcherTest",
	"test.PersistentWatcherACLTest",
	"test.PersistentWatcherTest",
	"test.RecoveryTest",
	"test.SaslAuthDesignatedClientTest",
	"test.SaslAuthDesignatedServerTest",
	"test.SaslAuthFailDesignatedClientTest",
	"test.SaslAuthFailTest",
	"test.SaslAuthMissingClientConfigTest",
	"test.SaslAuthRequiredFailNoSASLTest",
	"test.SaslAuthRequiredFailWrongSASLTest",
	"test.SaslAuthRequiredMultiClientTest",
	"test.SaslAuthRequiredTest",
	"test.SaslClientTest",
	"test.SaslSuperUserTest",
	"test.ServerCnxnTest",
	"test.SessionInvalidationTest",
	"test.SessionTest",
	"test.SessionTimeoutTest",
	"test.SessionTrackerCheckTest",
	"test.StatTest",
	"test.SyncCallTest",
	"test.WatcherFuncTest",
	"test.WatcherTest",
	"test.ZooKeeperQuotaTest",
}

const (
	ownLogin    = "has users in an object of Java's, and no login file"
	anyUser     = "letAnySaslUserDoX is not supported"
	ownProcess  = "sets a switch in the server's process"
	ownEnsemble = "makes an ensemble in its own process"
	otherFiles  = "starts the server on a log or a snapshot of ZooKeeper's"
	racy        = "looks at a list before the last of it is there"
)

// notRun says why a test that asks a server by its port fails here all the same: a class, some of whose tests may pass
// but not all, or one test, which must not unless it is racy.
var notRun = map[string]string{
	"test.BufferSizeTest.testStartupFailureCreate":       otherFiles,
	"test.BufferSizeTest.testStartupFailureSet":          otherFiles,
	"test.BufferSizeTest.testStartupFailureSnapshot":     otherFiles,
	"test.CheckTest.testCluster":                         ownEnsemble,
	"test.CheckTest.testClusterDatabaseReloadAfterCheck": ownEnsemble,
	"test.ChrootClientTest.testPathValidation":           ownProcess,
	"test.ClientSkipACLTest.testPathValidation":          ownProcess,
	"test.ClientTest.testPathValidation":                 ownProcess,

	"test.SessionTest.testSessionStateNoDupStateReporting": racy,

	"test.SaslAuthDesignatedClientTest.testReadAccessUser": anyUser,
	"test.SaslAuthDesignatedServerTest":                    ownLogin,
}

// propertiesOf are what a class sets for a server in its own process that already runs: here it has to have them at its
// start.
var propertiesOf = map[string]string{
	"test.BufferSizeTest":     "-Djute.maxbuffer=100",
	"test.SaslSuperUserTest":  "-Dzookeeper.superUser.1=other_super",
	"test.ZooKeeperQuotaTest": "-Dzookeeper.enforceQuota=true",
}
