using System.Text.Json;
using Aries.TestKit;

namespace Aries.Preferences.Tests;

/// <summary>Equality with the recorded values of programs that were written from the papers, and of PyTorch in float64.</summary>
public class LossGoldenTests
{
    private static readonly (string Key, PairSequence Sequence)[] Keys =
    [
        ("w", PairSequence.Chosen),
        ("l", PairSequence.Rejected),
        ("w_given_l", PairSequence.ChosenGivenRejected),
        ("l_given_l", PairSequence.RejectedGivenRejected),
        ("l_given_w", PairSequence.RejectedGivenChosen),
        ("w_given_w", PairSequence.ChosenGivenChosen),
    ];

    public static TheoryData<string> VectorNames =>
    [
        "sigmoid", "cdpo_ls0.1", "robust_ls0.1", "hinge", "ipo_mean", "ipo_sum", "exo_pair_eps1e-3", "nca_pair", "apo_zero", "apo_down", "discopop_tau0.05", "simpo_beta2_gbr0.25",
        "orpo_neg_log_odds_ratio",
    ];

    // orpo_full_nll is absent: its likelihood runs over the prompt's tokens as well, which no loss of this package trains.
    public static TheoryData<string, string> GradientNames
    {
        get
        {
            string[] losses =
            [
                "dpo_sigmoid", "cdpo", "ipo_sum", "ipo_mean", "hinge", "hinge_beta1", "simpo", "orpo", "sft_nll", "aries_sft", "aries_refine_two_sided", "aries_refine_one_sided", "aries_full",
                "aries_full_one_sided",
            ];
            TheoryData<string, string> data = [];
            foreach (string folder in new[] { "grads_full", "lora" })
            {
                foreach (string loss in losses)
                {
                    data.Add(folder, loss);
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(VectorNames))]
    public void Compute_RecordedVectors_EqualsThem(string name)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(TestData.Golden("losses", "vectors.json")));
        JsonElement inputs = document.RootElement.GetProperty("inputs");
        double[] expected = Doubles(document.RootElement.GetProperty("expected_per_sequence").GetProperty(name));
        PairData data = new PairData(3)
            .Set(PairSequence.Chosen, Doubles(inputs.GetProperty("policy_chosen")), Doubles(inputs.GetProperty("ref_chosen")), Ints(inputs.GetProperty("len_chosen")))
            .Set(PairSequence.Rejected, Doubles(inputs.GetProperty("policy_rejected")), Doubles(inputs.GetProperty("ref_rejected")), Ints(inputs.GetProperty("len_rejected")));
        IPreferenceLoss loss = VectorLoss(name, inputs.GetProperty("beta").GetDouble());

        double[] actual = data.Compute(loss).Losses;

        if (name == "orpo_neg_log_odds_ratio")
        {
            // The recorded term stands alone; the loss adds the token mean of the negative log-likelihood.
            double[] likelihood = data.Losses.ToArray();
            data.Compute(new SupervisedLoss());
            actual = [.. likelihood.Zip(data.Losses, (whole, nll) => whole - nll)];
        }

        AssertClose(expected, actual, relative: 0, absolute: 1e-12);
    }

    [Theory]
    [MemberData(nameof(GradientNames))]
    public void Compute_RecordedPairs_EqualsPyTorch(string folder, string name)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(TestData.Golden(folder, "losses.json")));
        JsonElement root = document.RootElement;
        JsonElement recorded = root.GetProperty("losses").GetProperty(name);
        IPreferenceLoss loss = GradientLoss(name);
        PairData data = new(4);
        foreach ((string key, PairSequence sequence) in Keys)
        {
            data.Set(
                sequence,
                Doubles(root.GetProperty("policy_logps").GetProperty(key)),
                Doubles(root.GetProperty("ref_logps").GetProperty(key)),
                Ints(root.GetProperty("response_lens").GetProperty(key)));
        }

        data.Compute(loss);

        AssertClose([recorded.GetProperty("loss").GetDouble()], [data.Losses.Average()], relative: 1e-9, absolute: 0);
        if (recorded.TryGetProperty("per_pair_loss", out JsonElement perPair))
        {
            AssertClose(Doubles(perPair), data.Losses, relative: 1e-9, absolute: 0);
        }

        foreach ((string key, PairSequence sequence) in Keys)
        {
            double[] expected = recorded.GetProperty("dloss_dlogp").TryGetProperty(key, out JsonElement row) ? Doubles(row) : new double[4];
            AssertClose(expected, [.. data.GradientRow(sequence).Select(g => g / 4)], relative: 1e-9, absolute: 0);
        }
    }

    private static IPreferenceLoss VectorLoss(string name, double beta) => name switch
    {
        "sigmoid" => new DpoLoss(new() { Beta = beta }),
        "cdpo_ls0.1" => new DpoLoss(new() { Beta = beta, LabelSmoothing = 0.1 }),
        "robust_ls0.1" => new RobustDpoLoss(new() { Beta = beta, LabelSmoothing = 0.1 }),
        "hinge" => new HingeLoss(new() { Beta = beta }),
        "ipo_mean" => new AveragedIpoLoss(new() { Beta = beta }),
        "ipo_sum" => new IpoLoss(new() { Beta = beta }),
        "exo_pair_eps1e-3" => new ExoLoss(new() { Beta = beta, LabelSmoothing = 1e-3 }),
        "nca_pair" => new NcaLoss(new() { Beta = beta }),
        "apo_zero" => new ApoZeroLoss(new() { Beta = beta }),
        "apo_down" => new ApoDownLoss(new() { Beta = beta }),
        "discopop_tau0.05" => new DiscoPopLoss(new() { Beta = beta, Tau = 0.05 }),
        "simpo_beta2_gbr0.25" => new SimPoLoss(new() { Beta = 2, GammaBetaRatio = 0.25 }),
        "orpo_neg_log_odds_ratio" => new OrpoLoss(new() { Lambda = 1 }),
        _ => throw new ArgumentException(name),
    };

    private static IPreferenceLoss GradientLoss(string name) => name switch
    {
        "dpo_sigmoid" => new DpoLoss(new() { Beta = 0.1 }),
        "cdpo" => new DpoLoss(new() { Beta = 0.1, LabelSmoothing = 0.1 }),
        "ipo_sum" => new IpoLoss(new() { Beta = 0.1 }),
        "ipo_mean" => new AveragedIpoLoss(new() { Beta = 0.1 }),
        "hinge" => new HingeLoss(new() { Beta = 0.1 }),
        "hinge_beta1" => new HingeLoss(new() { Beta = 1 }),
        "simpo" => new SimPoLoss(new() { Beta = 2, GammaBetaRatio = 0.5 }),
        "orpo" => new OrpoLoss(new() { Lambda = 0.1 }),
        "sft_nll" => new SupervisedLoss(LossNormalization.TokenMean),
        "aries_sft" => new AriesSupervisedLoss(),
        "aries_refine_two_sided" => new RefinementLoss(new() { Beta = 0.05 }),
        "aries_refine_one_sided" => new RefinementLoss(new() { Beta = 0.05, TwoSided = false }),
        "aries_full" => new AriesLoss(new() { Alpha = 0.8, DpoBeta = 0.1, RefinementBeta = 0.05 }),
        "aries_full_one_sided" => new AriesLoss(new() { Alpha = 0.8, DpoBeta = 0.1, RefinementBeta = 0.05, TwoSided = false }),
        _ => throw new ArgumentException(name),
    };

    private static void AssertClose(double[] expected, double[] actual, double relative, double absolute)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            double allowed = (relative * Math.Abs(expected[i])) + absolute;
            Assert.True(Math.Abs(expected[i] - actual[i]) <= allowed, $"at {i}: expected {expected[i]:R}, got {actual[i]:R}");
        }
    }

    private static double[] Doubles(JsonElement array) => [.. array.EnumerateArray().Select(e => e.GetDouble())];

    private static int[] Ints(JsonElement array) => [.. array.EnumerateArray().Select(e => e.GetInt32())];
}
