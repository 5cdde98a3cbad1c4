using Aries.Conformance;
using Aries.Managed;
using Aries.TestKit;

namespace Aries.Extensions.AI.Tests;

/// <summary>A real model through both directions: policy → chat client → policy.</summary>
public sealed class ChatClientPolicyModelConformanceTests : PolicyModelConformance<ChatClientPolicyModel>
{
    protected override bool SupportsLogProbabilities => false;

    // A chat client reports counts, but no token ids.
    protected override bool ReportsTokens => false;

    protected override IReadOnlyList<(string Name, SamplingOptions Options)> UnsupportedOptions =>
    [
        (nameof(SamplingOptions.MinP), new SamplingOptions { MinP = 0.1f }),
        (nameof(SamplingOptions.RepetitionPenalty), new SamplingOptions { RepetitionPenalty = 1.2f }),
    ];

    protected override ChatClientPolicyModel CreateModel() =>
        new(new PolicyModelChatClient(ManagedPolicyModel.Load(TestData.Golden("stories260K-hf")), ownsPolicy: true), ownsClient: true);
}

public sealed class SuiteCoverageTests
{
    [Fact]
    public void Missing_ThisPackage_NothingIsLeftOut() => SuiteCoverage.AssertCovered(typeof(ChatClientPolicyModel).Assembly, typeof(SuiteCoverageTests).Assembly);
}
