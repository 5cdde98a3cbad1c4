using Aries.Conformance;
using Aries.Managed;
using Aries.TestKit;

namespace Aries.EndToEnd.Tests;

public sealed class BatchingPolicyModelConformanceTests : PolicyModelConformance<BatchingPolicyModel>
{
    protected override string TooLongPrompt => string.Concat(Enumerable.Repeat("Once upon a time ", 300));

    protected override BatchingPolicyModel CreateModel() => new(ManagedPolicyModel.Load(TestData.Golden("stories260K-hf")), ownsPolicy: true);
}

public sealed class BalancedPolicyModelConformanceTests : PolicyModelConformance<BalancedPolicyModel>
{
    protected override string TooLongPrompt => string.Concat(Enumerable.Repeat("Once upon a time ", 300));

    protected override BalancedPolicyModel CreateModel() => new(
        [.. Enumerable.Range(1, 2).Select(i => new PolicyEndpoint($"endpoint {i}", ManagedPolicyModel.Load(TestData.Golden("stories260K-hf")), maxConcurrency: 2))], ownsPolicies: true);
}
