// Command pulumi-resource-hcloud serves Hetzner's own Terraform provider to the Pulumi engine.
//
// It only joins two published modules, the Pulumi Terraform bridge and terraform-provider-hcloud, so that the tests
// meet the provider's real validation, diffs and replacements on machines where Pulumi's own plugin is not to be had.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/hetznercloud/terraform-provider-hcloud/hcloud"
	pluginframework "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim"
	pluginsdk "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/x/muxer"
	"github.com/pulumi/pulumi-terraform-bridge/v3/unstable/metadata"
)

// version is set by the linker. The engine looks a plugin up by the exact version of the npm package.
var version = "0.0.0"

func main() {
	ctx := context.Background()
	provider := describeProvider(ctx)
	if err := writeDispatchTable(&provider); err != nil {
		log.Fatalf("pulumi-resource-hcloud: %v", err)
	}
	pluginframework.MainWithMuxer(ctx, "hcloud", provider, []byte(`{"name":"hcloud"}`))
}

func describeProvider(ctx context.Context) tfbridge.ProviderInfo {
	both := pluginframework.MuxShimWithPF(ctx, pluginsdk.NewProvider(hcloud.Provider()), hcloud.NewPluginProvider())
	provider := tfbridge.ProviderInfo{
		P:              both,
		Name:           "hcloud",
		ResourcePrefix: "hcloud",
		Version:        version,
		MetadataInfo:   tfbridge.NewProviderMetadata([]byte("{}")),
		Resources:      idsAsText(both.ResourcesMap()),
	}
	// The tokens that the npm package uses: hcloud:index/server:Server and so on.
	provider.MustComputeTokens(tokens.SingleModule("hcloud_", "index", tokens.MakeStandard("hcloud")))
	// As Pulumi's own plugin does: what has a name and is given none is called after the resource, with a few random characters.
	provider.SetAutonaming(255, "-")
	return provider
}

// idsAsText turns integer ids into the strings that Pulumi's ids are; the bridge would answer "missing ID" for them.
func idsAsText(resources shim.ResourceMap) map[string]*tfbridge.ResourceInfo {
	changed := map[string]*tfbridge.ResourceInfo{}
	resources.Range(func(name string, resource shim.Resource) bool {
		if id, found := resource.Schema().GetOk("id"); found && id.Type() != shim.TypeString {
			changed[name] = &tfbridge.ResourceInfo{Fields: map[string]*tfbridge.SchemaInfo{"id": {Type: "string"}}}
		}
		return true
	})
	return changed
}

// writeDispatchTable works out at start which half of the provider serves which token; Pulumi's generator does it at build time.
func writeDispatchTable(provider *tfbridge.ProviderInfo) error {
	mixed, ok := provider.P.(interface {
		ResolveDispatch(*tfbridge.ProviderInfo) (muxer.DispatchTable, error)
	})
	if !ok {
		return fmt.Errorf("the bridge no longer offers ResolveDispatch (%T)", provider.P)
	}
	table, err := mixed.ResolveDispatch(provider)
	if err != nil {
		return fmt.Errorf("assigning resources to the provider's two halves: %w", err)
	}
	return metadata.Set(provider.GetMetadata(), "mux", table)
}
