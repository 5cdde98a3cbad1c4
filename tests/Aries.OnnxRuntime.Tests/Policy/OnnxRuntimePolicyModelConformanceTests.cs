using Aries.Conformance;

namespace Aries.OnnxRuntime.Tests;

public sealed class OnnxRuntimePolicyModelConformanceTests(ExportedModels models) : PolicyModelConformance<OnnxRuntimePolicyModel>
{
    protected override string TooLongPrompt => string.Concat(Enumerable.Repeat("Once upon a time ", 300));

    protected override OnnxRuntimePolicyModel CreateModel() => OnnxRuntimePolicyModel.Load(models.Stories, new OnnxRuntimePolicyOptions { ThreadCount = 1, MaxBatchSize = 3, PrefillLength = 4 });
}

public sealed class OnnxRuntimeLogProbabilityModelConformanceTests(ExportedModels models) : LogProbabilityModelConformance<OnnxRuntimePolicyModel>
{
    // Which rows share a pass depends on the batch, and float32 sums by other paths differ in the last digits.
    protected override double Tolerance => 1e-4;

    protected override LogProbabilityRequest TooLong => new("Once", string.Concat(Enumerable.Repeat(" upon a time", 300)));

    protected override OnnxRuntimePolicyModel CreateModel() => OnnxRuntimePolicyModel.Load(models.Stories, new OnnxRuntimePolicyOptions { ThreadCount = 1, PrefillLength = 8 });
}

public sealed class SuiteCoverageTests
{
    [Fact]
    public void Missing_ThisBackend_NothingIsLeftOut() => SuiteCoverage.AssertCovered(typeof(OnnxRuntimePolicyModel).Assembly, typeof(SuiteCoverageTests).Assembly);
}
