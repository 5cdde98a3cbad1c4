namespace Aries.Core.Tests;

public class AriesLoopOptionsTests
{
    public static TheoryData<string, Action<AriesLoopOptions>> Invalid => new()
    {
        { "RoundCount", options => options.RoundCount = -1 },
        { "PromptsPerRound", options => options.PromptsPerRound = 0 },
        { "BatchSize", options => options.BatchSize = 0 },
        { "Reference", options => options.Reference = (ReferencePolicy)7 },
        { "CorrectAt", options => options.CorrectAt = double.NaN },
        { "PairForm", options => options.PairForm = (PreferenceJsonlForm)7 },
        { "Sampling", options => options.Sampling = null! },
        { "Sampling", options => options.Sampling = new SamplingOptions { Seed = 1 } },
        { "EvaluationSampling", options => options.EvaluationSampling = new SamplingOptions { Seed = 1 } },
        { "Temperature", options => options.EvaluationSampling = new SamplingOptions { Temperature = float.NaN } },
    };

    [Theory]
    [MemberData(nameof(Invalid), DisableDiscoveryEnumeration = true)]
    public void Validate_ValueOutsideItsRange_NamesIt(string name, Action<AriesLoopOptions> change)
    {
        AriesLoopOptions options = new();
        change(options);

        ArgumentException exception = Assert.ThrowsAny<ArgumentException>(options.Validate);

        Assert.Equal(name, exception.ParamName);
    }

    [Fact]
    public void Validate_Defaults_AreValid() => new AriesLoopOptions().Validate();
}
