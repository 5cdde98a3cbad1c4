using QuickStart;

namespace Aries.Reproduction;

/// <summary>A method with its settings, under the name that the tables use.</summary>
internal sealed record Variant(string Name, Method Method, Settings Settings, int SeedCount)
{
    /// <summary>What is compared; all but the first three change one setting of ARIES.</summary>
    public static IReadOnlyList<Variant> All { get; } = List();

    private static List<Variant> List()
    {
        Settings settings = new();
        return
        [
            new Variant("ARIES", Method.Aries, settings, 5),
            new Variant("Iterative DPO", Method.IterativeDpo, settings, 5),
            new Variant("supervised only", Method.SupervisedOnly, settings, 5),
            new Variant("ARIES, one-sided", Method.Aries, settings with { OneSided = true }, 3),
            new Variant("ARIES, α 0.5", Method.Aries, settings with { Alpha = 0.5 }, 3),
            new Variant("ARIES, α 1", Method.Aries, settings with { Alpha = 1 }, 3),
            new Variant("ARIES, α 0 (DPO on chains)", Method.Aries, settings with { Alpha = 0 }, 3),
            new Variant("ARIES, β_r 0.25", Method.Aries, settings with { RefinementBeta = 0.25 }, 3),
            new Variant("ARIES, β_r 1", Method.Aries, settings with { RefinementBeta = 1 }, 3),
            new Variant("ARIES, β 1", Method.Aries, settings with { Beta = 1 }, 3),
        ];
    }
}
