using System.Globalization;

namespace Aries.Preferences.Tests.Losses;

/// <summary>A loss says what it is, so that a run can say what differs.</summary>
public class LossTextTests
{
    [Fact]
    public void ToString_OtherOption_Differs()
    {
        Assert.NotEqual(new AriesLoss(new AriesLossOptions { Alpha = 0.5 }).ToString(), new AriesLoss(new AriesLossOptions { Alpha = 0.6 }).ToString());
        Assert.NotEqual(new AriesLoss(new AriesLossOptions { TwoSided = false }).ToString(), new AriesLoss().ToString());
        Assert.Equal("DpoLoss { Beta = 0.25, LabelSmoothing = 0.1 }", new DpoLoss(new DpoLossOptions { Beta = 0.25, LabelSmoothing = 0.1 }).ToString());
    }

    [Fact]
    public void ToString_OtherCulture_IsTheSame()
    {
        WeightedLoss loss = new(new WeightedLossTerm(new DpoLoss(), 0.5), new WeightedLossTerm(new SupervisedLoss(), 1.5));
        CultureInfo before = CultureInfo.CurrentCulture;
        try
        {
            CultureInfo comma = (CultureInfo)CultureInfo.InvariantCulture.Clone();
            comma.NumberFormat.NumberDecimalSeparator = ",";
            CultureInfo.CurrentCulture = comma;

            Assert.Equal("WeightedLoss { 0.5 · DpoLoss { Beta = 0.1, LabelSmoothing = 0 } + 1.5 · SupervisedLoss { Normalization = TokenMean } }", loss.ToString());
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Fact]
    public void ToString_EveryLoss_NamesItsOptions()
    {
        Type[] silent =
        [
            .. typeof(IPreferenceLoss).Assembly.GetTypes()
                .Where(type => type is { IsClass: true, IsAbstract: false } && type.IsAssignableTo(typeof(IPreferenceLoss)))
                .Where(type => type.GetMethod(nameof(ToString), Type.EmptyTypes)!.DeclaringType != type),
        ];

        Assert.Empty(silent);
    }
}
