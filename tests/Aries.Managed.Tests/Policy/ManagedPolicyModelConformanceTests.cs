using Aries.Conformance;
using Aries.TestKit;

namespace Aries.Managed.Tests;

public sealed class ManagedPolicyModelConformanceTests : PolicyModelConformance<ManagedPolicyModel>
{
    protected override string TooLongPrompt => string.Concat(Enumerable.Repeat("Once upon a time ", 300));

    protected override ManagedPolicyModel CreateModel() => ManagedPolicyModel.Load(TestData.Golden("stories260K-hf"));
}

public sealed class ManagedLogProbabilityModelConformanceTests : LogProbabilityModelConformance<ManagedPolicyModel>
{
    // The engine's rows do not depend on the rest of the batch: not even the last bit differs.
    protected override double Tolerance => 0;

    protected override LogProbabilityRequest TooLong => new("Once", string.Concat(Enumerable.Repeat(" upon a time", 300)));

    protected override ManagedPolicyModel CreateModel() => ManagedPolicyModel.Load(TestData.Golden("stories260K-hf"));
}

public sealed class SuiteCoverageTests
{
    [Fact]
    public void Missing_ThisBackend_NothingIsLeftOut() => SuiteCoverage.AssertCovered(typeof(ManagedPolicyModel).Assembly, typeof(SuiteCoverageTests).Assembly);

    [Fact]
    public void Missing_ImplementationWithoutSuite_IsNamed()
    {
        (Type implementation, Type contract, _) = Assert.Single(SuiteCoverage.Missing([typeof(Untested), typeof(string)], typeof(SuiteCoverageTests).Assembly.GetTypes()));

        Assert.Equal(typeof(Untested), implementation);
        Assert.Equal(typeof(IRewardScorer), contract);
    }

    [Fact]
    public void Missing_OneOfTwoContractsCovered_NamesTheOther()
    {
        (_, Type contract, _) = Assert.Single(SuiteCoverage.Missing([typeof(ManagedPolicyModel)], [typeof(ManagedPolicyModelConformanceTests)]));

        Assert.Equal(typeof(ILogProbabilityModel), contract);
    }

    private sealed class Untested : IRewardScorer
    {
        public Task<IReadOnlyList<RewardScore>> ScoreAsync(IReadOnlyList<ScoringRequest> requests, CancellationToken cancellationToken = default) =>
            throw new NotSupportedException();
    }
}
