namespace Aries.LocalModels.Tests;

public class CanonicalOrderTests
{
    // As many marks on one letter as a request can hold: above (U+0307, class 230) and below (U+0323, class 220) by turns, and U+0307 tells itself from U+0308 of its class.
    [Fact]
    public void Decompose_ManyMarks_ArePutInOrderAndThoseOfOneClassStay()
    {
        const int Count = 300_000;
        string text = "a" + string.Concat(Enumerable.Repeat("\u0307\u0323\u0308", Count)) + "b\u0323";

        string decomposed = CanonicalForm.Decompose(text);

        Assert.Equal("a" + new string('\u0323', Count) + string.Concat(Enumerable.Repeat("\u0307\u0308", Count)) + "b\u0323", decomposed);
    }
}
